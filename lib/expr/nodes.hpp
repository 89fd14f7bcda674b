// SPDX-License-Identifier: Apache-2.0
// The nodes of compiled expressions, by what they do. The compiler (expr/compiler.hpp) puts them together;
// nobody else needs to know their classes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "expr/run.hpp"

namespace stream::expr {

// --- leaves ----------------------------------------------------------------------------------------

NodePtr make_identity();
// `value` outlives the node (the program's own arena).
NodePtr make_constant(Val value);
NodePtr make_variable(std::size_t number);
NodePtr make_empty();

// A field of the event, from its slot. Where the event has none, the slots on the way to it tell null from
// a value that cannot be looked into.
struct SlotStep {
    std::size_t parent;     // the slot of what is looked into
    bool by_index = false;  // the next step is an element, not a member
    Val key;                // that step, for the message
};
NodePtr make_slot(std::size_t slot, std::vector<SlotStep> steps);

// --- paths (nodes_path.cpp) --------------------------------------------------------------------------

// `optional`: with a `?` behind the step, which gives nothing where it cannot be taken. That is no `try`:
// what comes before the step may fail, and so may what comes after it.
NodePtr make_field(NodePtr target, Val name, bool optional);
NodePtr make_index(NodePtr target, NodePtr index, bool optional);
NodePtr make_slice(NodePtr target, NodePtr from, NodePtr to, bool optional);  // from and to single, or nullptr
NodePtr make_iterate(NodePtr target, bool optional);
NodePtr make_recurse();                // ..
NodePtr make_recurse_with(NodePtr f);  // recurse(f)
// Those of update.cpp: the node must have paths (Node::has_paths).
NodePtr make_paths_of(NodePtr f);                      // path(f)
NodePtr make_delete(NodePtr f);                        // del(f)
// `tries`: there may be a `try` in f, which in jq 1.6 catches what fails while its place is changed.
NodePtr make_update(NodePtr f, NodePtr with, bool tries);  // f |= with, `with` single
NodePtr make_assign(NodePtr f, NodePtr value, bool tries);  // f = value, `value` single and of the whole input
// f += v, f //= v: `value` of the whole input, single; `op` as in arithmetic, or '/' '/' as 'a' for //=
NodePtr make_update_with(NodePtr f, char op, NodePtr value, bool tries);
NodePtr make_getpath(NodePtr path);
NodePtr make_setpath(NodePtr path, NodePtr value);

// --- putting together (nodes_flow.cpp) -----------------------------------------------------------------

NodePtr make_pipe(NodePtr first, NodePtr second);
NodePtr make_comma(NodePtr first, NodePtr second);
NodePtr make_if(NodePtr condition, NodePtr yes, NodePtr no);
NodePtr make_select(NodePtr condition);
NodePtr make_alternative(NodePtr first, NodePtr second);
// `handler` nullptr: nothing. `uses_message`: whether the handler looks at its input.
NodePtr make_try(NodePtr body, NodePtr handler, bool uses_message);
NodePtr make_error(NodePtr value);  // nullptr: the input

// What a value is taken apart into. `key` is a single node over that value.
struct Binding {
    enum class Kind : std::uint8_t { variable, array, object };
    struct Member {
        NodePtr key;
        std::ptrdiff_t variable = -1;  // also binds the member's value
        std::unique_ptr<Binding> value;
    };
    Kind kind = Kind::variable;
    std::size_t variable = 0;
    std::vector<std::unique_ptr<Binding>> items;
    std::vector<Member> members;
    // False: Run::error.
    bool bind(Run& run, Val value) const;
};
NodePtr make_bind(NodePtr source, std::unique_ptr<Binding> binding, NodePtr body);
NodePtr make_reduce(NodePtr source, std::unique_ptr<Binding> binding, NodePtr init, NodePtr update);
NodePtr make_foreach(NodePtr source, std::unique_ptr<Binding> binding, NodePtr init, NodePtr update, NodePtr extract);

// --- loops (nodes_loop.cpp) ----------------------------------------------------------------------------

NodePtr make_limit(NodePtr count, NodePtr body);
NodePtr make_first(NodePtr body);
// The label's node is made first, so that its breaks can know it.
class Label;
struct LabelParts {
    NodePtr node;
    Label* label;
};
LabelParts make_label();
void set_label_body(Label& label, NodePtr body);
NodePtr make_break(const Label& label);
NodePtr make_range(NodePtr from, NodePtr to, NodePtr by);  // single; by nullptr: 1
NodePtr make_until(NodePtr condition, NodePtr update);      // single
NodePtr make_while(NodePtr condition, NodePtr update);      // single
NodePtr make_any_all(bool any, NodePtr generator, NodePtr condition);
// sort_by group_by unique_by min_by max_by: over the input array, `key` any node.
enum class KeyedKind : std::uint8_t { sort, group, unique, min, max };
NodePtr make_keyed(KeyedKind kind, NodePtr key);

// --- operators (nodes_operator.cpp) ----------------------------------------------------------------------

NodePtr make_arithmetic(char op, NodePtr a, NodePtr b);
NodePtr make_comparison(std::string_view op, NodePtr a, NodePtr b);
NodePtr make_logic(bool is_and, NodePtr a, NodePtr b);
NodePtr make_negate(NodePtr a);
// As the operator: fails, punts.
Val apply_arithmetic(Run& run, char op, Val a, Val b);

// --- building (nodes_build.cpp) --------------------------------------------------------------------------

NodePtr make_array(NodePtr items);  // nullptr: []
struct MemberNodes {
    NodePtr key;
    NodePtr value;
};
NodePtr make_object(std::vector<MemberNodes> members);  // at most one node of many results
// Text and nodes in turn; `format` makes a string of a value that is none (nullptr: tostring).
NodePtr make_interpolation(std::vector<NodePtr> parts, std::vector<bool> is_text, Function format);
NodePtr make_call(Function function, std::vector<NodePtr> args);  // at most one of many results

// --- shared by nodes and builtins --------------------------------------------------------------------------

Val index_value(Run& run, Val target, Val key);
Val slice_value(Run& run, Val target, Val from, Val to);
// Elements or members' values, one after the other.
Flow each_item(Run& run, Val container, Emit emit);
std::size_t count_of(Run& run, Val container);

}  // namespace stream::expr
