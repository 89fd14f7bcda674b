// SPDX-License-Identifier: Apache-2.0
#include "expr/names.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.hpp"
#include "expr/parser.hpp"

namespace stream::expr {

namespace {

// jq's builtins by name and number of arguments (of 1.6, then what 1.7 and 1.8 added), and `seconds`.
constexpr std::string_view known =
    " IN/1 IN/2 INDEX/1 INDEX/2 JOIN/2 JOIN/3 JOIN/4 acos/0 acosh/0 add/0 all/0 all/1 all/2 any/0 any/1 "
    "any/2 arrays/0 ascii_downcase/0 ascii_upcase/0 asin/0 asinh/0 atan/0 atan2/2 atanh/0 booleans/0 "
    "bsearch/1 builtins/0 capture/1 capture/2 cbrt/0 ceil/0 combinations/0 combinations/1 contains/1 "
    "copysign/2 cos/0 cosh/0 debug/0 del/1 delpaths/1 drem/2 empty/0 endswith/1 env/0 erf/0 erfc/0 "
    "error/0 error/1 exp/0 exp10/0 exp2/0 explode/0 expm1/0 fabs/0 fdim/2 finites/0 first/0 first/1 "
    "flatten/0 flatten/1 floor/0 fma/3 fmax/2 fmin/2 fmod/2 format/1 frexp/0 from_entries/0 fromdate/0 "
    "fromdateiso8601/0 fromjson/0 fromstream/1 gamma/0 get_jq_origin/0 get_prog_origin/0 "
    "get_search_list/0 getpath/1 gmtime/0 group_by/1 gsub/2 gsub/3 halt/0 halt_error/0 halt_error/1 "
    "has/1 hypot/2 implode/0 in/1 index/1 indices/1 infinite/0 input/0 input_filename/0 "
    "input_line_number/0 inputs/0 inside/1 isempty/1 isfinite/0 isinfinite/0 isnan/0 isnormal/0 "
    "iterables/0 j0/0 j1/0 jn/2 join/1 keys/0 keys_unsorted/0 last/0 last/1 ldexp/2 leaf_paths/0 "
    "length/0 lgamma/0 lgamma_r/0 limit/2 localtime/0 log/0 log10/0 log1p/0 log2/0 logb/0 ltrimstr/1 "
    "map/1 map_values/1 match/1 match/2 max/0 max_by/1 min/0 min_by/1 mktime/0 modf/0 modulemeta/0 nan/0 "
    "nearbyint/0 nextafter/2 nexttoward/2 normals/0 not/0 now/0 nth/1 nth/2 nulls/0 numbers/0 objects/0 "
    "path/1 paths/0 paths/1 pow/2 pow10/0 range/1 range/2 range/3 recurse/0 recurse/1 recurse/2 "
    "recurse_down/0 remainder/2 repeat/1 reverse/0 rindex/1 rint/0 round/0 rtrimstr/1 scalars/0 "
    "scalars_or_empty/0 scalb/2 scalbln/2 scan/1 select/1 setpath/2 significand/0 sin/0 sinh/0 sort/0 "
    "sort_by/1 split/1 split/2 splits/1 splits/2 sqrt/0 startswith/1 stderr/0 strflocaltime/1 strftime/1 "
    "strings/0 strptime/1 sub/2 sub/3 tan/0 tanh/0 test/1 test/2 tgamma/0 to_entries/0 todate/0 "
    "todateiso8601/0 tojson/0 tonumber/0 tostream/0 tostring/0 transpose/0 trunc/0 truncate_stream/1 "
    "type/0 unique/0 unique_by/1 until/2 utf8bytelength/0 values/0 walk/1 while/2 with_entries/1 y0/0 "
    "y1/0 yn/2 "
    "abs/0 toarray/0 pick/1 scan/2 have_decnum/0 have_literal_numbers/0 getpath/1 trim/0 ltrim/0 rtrim/0 "
    "skip/2 add/1 trimstr/1 ltrimstr/1 rtrimstr/1 ascii/0 date/0 dateadd/2 datesub/2 dateadd/1 datesub/1 "
    "limit/2 getpath/1 splits/2 error/0 ascii/1 implode/0 env/0 tojson/0 significand/0 "
    "seconds/0 ";

constexpr std::pair<std::string_view, std::string_view> refused[] = {
    {"input", "an event is all that an expression sees"},
    {"inputs", "an event is all that an expression sees"},
    {"input_filename", "stream-cat --tag NAME writes where an event came from"},
    {"input_line_number", "an event is all that an expression sees"},
    {"debug", "an expression writes nothing but its results"},
    {"stderr", "an expression writes nothing but its results"},
    {"halt", "error(…) makes the event bad"},
    {"halt_error", "error(…) makes the event bad"},
    {"modulemeta", "modules are not available here"},
    {"get_search_list", "modules are not available here"},
};

bool is_known(std::string_view name, std::size_t arity) {
    std::string wanted = " ";
    wanted += name;
    wanted += "/" + std::to_string(arity) + " ";
    return known.find(wanted) != std::string_view::npos;
}

struct Names {
    std::vector<std::pair<std::string, std::size_t>> functions;
    std::vector<std::string> variables;
    std::vector<std::string> labels;
};

class Checker {
public:
    Checker(std::string_view text, const Settings& settings) : text_(text) {
        for (const auto& [name, json] : settings.arguments) names_.variables.push_back(name);
        for (const char* name : {"ENV", "__loc__", "__prog_args", "ARGS"}) names_.variables.emplace_back(name);
    }

    Result<void> visit(const Ast& node) {
        if (++depth_ > 3000) return fail(ErrorKind::usage, caret("nested too deeply", text_, node.begin));
        auto done = look(node);
        --depth_;
        return done;
    }

    Result<void> look(const Ast& node) {
        switch (node.kind) {
            case AstKind::define: return definition(node);
            case AstKind::call: return call(node);
            case AstKind::variable:
                if (std::find(names_.variables.begin(), names_.variables.end(), node.text) == names_.variables.end()) {
                    return unknown("$" + node.text + " is not defined", node.begin, nearest_variable(node.text));
                }
                used.environment = used.environment || node.text == "ENV";
                return {};
            case AstKind::bind: {
                STREAM_TRY(visit(*node.kids[0]));
                return with_patterns(node, 1);
            }
            case AstKind::reduce:
            case AstKind::foreach: {
                STREAM_TRY(visit(*node.kids[0]));
                STREAM_TRY(visit(*node.kids[1]));
                return with_patterns(node, 2);
            }
            case AstKind::label: {
                names_.labels.push_back(node.text);
                STREAM_TRY(visit(*node.kids[0]));
                names_.labels.pop_back();
                return {};
            }
            case AstKind::break_to:
                if (std::find(names_.labels.begin(), names_.labels.end(), node.text) == names_.labels.end()) {
                    return unknown("there is no label $" + node.text + " here", node.begin, {});
                }
                return {};
            default: break;
        }
        for (const AstPtr& kid : node.kids) {
            if (kid != nullptr) STREAM_TRY(visit(*kid));
        }
        for (const Ast::Member& member : node.members) {
            STREAM_TRY(visit(*member.key));
            if (member.value != nullptr) STREAM_TRY(visit(*member.value));
        }
        return {};
    }

    NamesUsed used;

private:
    Result<void> unknown(const std::string& message, std::size_t begin, const std::string& hint) const {
        return fail(ErrorKind::usage, caret(message, text_, begin), hint);
    }

    std::string nearest_variable(const std::string& name) const {
        const std::vector<std::string_view> candidates(names_.variables.begin(), names_.variables.end());
        const std::string_view near = nearest(name, candidates);
        return near.empty() ? "--arg " + name + "=VALUE defines it" : "did you mean $" + std::string(near) + "?";
    }

    Result<void> call(const Ast& node) {
        const std::size_t arity = node.kids.size();
        bool own = false;
        for (const auto& [name, arguments] : names_.functions) own = own || (name == node.text && arguments == arity);
        if (!own) {
            for (const auto& [name, why] : refused) {
                if (node.text == name) return unknown(node.text + " is not available in expressions over a stream", node.begin, std::string(why));
            }
            if (!is_known(node.text, arity) && node.text != "true" && node.text != "false" && node.text != "null") {
                return undefined(node);
            }
            used.now = used.now || node.text == "now" || node.text == "localtime" || node.text == "mktime";
            constexpr std::string_view of_environment[] = {"env", "localtime", "strflocaltime", "mktime"};
            used.environment = used.environment || std::find(std::begin(of_environment), std::end(of_environment), node.text) != std::end(of_environment);
            used.seconds = used.seconds || node.text == "seconds";
        }
        for (const AstPtr& kid : node.kids) STREAM_TRY(visit(*kid));
        return {};
    }

    Result<void> undefined(const Ast& node) const {
        const std::size_t arity = node.kids.size();
        std::string message = node.text + "/" + std::to_string(arity) + " is not defined";
        constexpr std::pair<std::string_view, std::string_view> synonyms[] = {
            {"lower", "ascii_downcase"}, {"tolower", "ascii_downcase"}, {"lowercase", "ascii_downcase"},
            {"upper", "ascii_upcase"},   {"toupper", "ascii_upcase"},   {"uppercase", "ascii_upcase"},
            {"len", "length"},           {"size", "length"},            {"count", "length"},
            {"filter", "select"},        {"where", "select"},           {"matches", "test"},
            {"regex", "test"},           {"replace", "sub"},            {"substring", "a slice: .name[0:3]"},
            {"str", "tostring"},         {"string", "tostring"},        {"int", "tonumber"},
            {"float", "tonumber"},       {"number", "tonumber"},        {"parse_time", "seconds"},
            {"exists", "has"},             {"sum", "add"}};
        for (const auto& [word, meant] : synonyms) {
            if (node.text == word) return unknown(message, node.begin, "jq calls it " + std::string(meant));
        }
        // The same name with another number of arguments, or a name that is near.
        std::vector<std::string_view> names;
        for (const auto& [name, arguments] : names_.functions) names.push_back(name);
        for (std::size_t at = 0; at < known.size();) {
            const std::size_t end = known.find(' ', at);
            if (end == std::string_view::npos) break;
            const std::string_view entry = known.substr(at, end - at);
            const std::size_t slash = entry.find('/');
            if (slash != std::string_view::npos) {
                if (entry.substr(0, slash) == node.text) {
                    return unknown(message, node.begin, node.text + " takes " + std::string(entry.substr(slash + 1)) +
                                                            (entry.ends_with("/1") ? " argument" : " arguments, separated by ;"));
                }
                names.push_back(entry.substr(0, slash));
            }
            at = end + 1;
        }
        const std::string_view near = nearest(node.text, names);
        std::string hint;
        if (!near.empty()) hint = "did you mean " + std::string(near) + "?";
        else if (arity == 0) hint = "a member is written ." + node.text + ", a string \"" + node.text + "\"";
        return unknown(message, node.begin, hint);
    }

    Result<void> definition(const Ast& node) {
        names_.functions.emplace_back(node.text, node.params.size());
        const std::size_t functions = names_.functions.size();
        const std::size_t variables = names_.variables.size();
        for (const Ast::Parameter& parameter : node.params) {
            names_.functions.emplace_back(parameter.name, 0);
            if (parameter.by_value) names_.variables.push_back(parameter.name);
        }
        // A break inside a function cannot reach a label around it by its argument's name, but by its place it can.
        STREAM_TRY(visit(*node.kids[0]));
        names_.functions.resize(functions);
        names_.variables.resize(variables);
        STREAM_TRY(visit(*node.kids[1]));
        names_.functions.pop_back();
        return {};
    }

    Result<void> pattern(const Pattern& pattern) {
        if (pattern.kind == Pattern::Kind::variable) names_.variables.push_back(pattern.name);
        for (const auto& item : pattern.items) STREAM_TRY(this->pattern(*item));
        for (const Pattern::Member& member : pattern.members) {
            if (member.key != nullptr) STREAM_TRY(visit(*member.key));
            if (!member.variable.empty()) names_.variables.push_back(member.variable);
            if (member.value != nullptr) STREAM_TRY(this->pattern(*member.value));
        }
        return {};
    }

    // The kids from `first` on see the variables.
    Result<void> with_patterns(const Ast& node, std::size_t first) {
        const std::size_t variables = names_.variables.size();
        for (const auto& one : node.patterns) STREAM_TRY(pattern(*one));
        for (std::size_t i = first; i < node.kids.size(); ++i) {
            if (node.kids[i] != nullptr) STREAM_TRY(visit(*node.kids[i]));
        }
        names_.variables.resize(variables);
        return {};
    }

    std::string_view text_;
    unsigned depth_ = 0;
    Names names_;
};

}  // namespace

Result<NamesUsed> check_names(const Ast& program, std::string_view text, const Settings& settings) {
    Checker checker(text, settings);
    STREAM_TRY(checker.visit(program));
    return checker.used;
}

}  // namespace stream::expr
