// SPDX-License-Identifier: Apache-2.0
// stream-map: events made of events. Either an expression's results, or the event with members set,
// dropped or kept and its other bytes as they were.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "expr/expression.hpp"
#include "json/fields.hpp"
#include "ops/operator.hpp"

namespace stream {

struct MapOptions {
    bool raw = false;  // results as text, whatever they are
    // Members to set, each from the event as it came.
    struct Set {
        std::string name;
        expr::Expression expression;
    };
    std::vector<Set> set;
    std::vector<FieldPath> drop;
    std::vector<FieldPath> keep;  // all others go, those set aside

    bool edits() const { return !set.empty() || !drop.empty() || !keep.empty(); }
    // Whether an edit may give that member another value; taking it out is no change.
    bool may_change(const MemberNames& member) const;
};

class Map final : public Operator {
public:
    // Without an expression the event itself is edited.
    Map(std::optional<expr::Expression> expression, MapOptions options)
        : expression_(std::move(expression)), options_(std::move(options)) {}

    Result<void> on_event(int input, const Event& event, Sink& sink) override;
    void append_stats(std::string& out) const override;
    // Whether what is written may have another value for that member than what came.
    bool may_change(const MemberNames& member) const {
        return options_.raw || (expression_ ? expression_->may_change(member) : options_.may_change(member));
    }

private:
    Result<void> edit(const Event& event, Sink& sink);
    Result<void> write_results(const Event& event, Sink& sink);

    std::optional<expr::Expression> expression_;
    MapOptions options_;
    std::string line_;
    std::string next_;
};

}  // namespace stream
