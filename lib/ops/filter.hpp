// SPDX-License-Identifier: Apache-2.0
// stream-filter: an event's own bytes, if an expression gives something other than false or null.
#pragma once

#include <cstdint>
#include <string>

#include "expr/expression.hpp"
#include "ops/operator.hpp"

namespace stream {

struct FilterOptions {
    bool invert = false;
    bool quiet = false;  // writes nothing, and is done at the first event selected
};

class Filter final : public Operator {
public:
    Filter(expr::Expression expression, FilterOptions options)
        : expression_(std::move(expression)), options_(options) {}

    Result<void> on_event(int input, const Event& event, Sink& sink) override;
    bool is_done() const override { return options_.quiet && selected_ > 0; }
    void append_stats(std::string& out) const override;

    std::uint64_t selected() const { return selected_; }

private:
    expr::Expression expression_;
    FilterOptions options_;
    std::uint64_t selected_ = 0;
};

}  // namespace stream
