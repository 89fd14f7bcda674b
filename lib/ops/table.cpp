// SPDX-License-Identifier: Apache-2.0
#include "ops/table.hpp"

#include <array>
#include <utility>

#include "base/check.hpp"
#include "ops/table/diff.hpp"
#include "ops/table/fold.hpp"
#include "ops/table/joined.hpp"

namespace stream {

Result<std::unique_ptr<Operator>> make_table_fold(FoldOptions options) {
    if (options.by.empty()) return fail(ErrorKind::usage, "no key is given", "--by FIELD: which field tells the rows apart?");
    if (options.every < 0) return fail(ErrorKind::usage, "--every must not be negative");
    if (options.every > 0 && options.as_of) return fail(ErrorKind::usage, "--every and --as-of do not go together");
    auto reader = ChangeReader::make(options.by, options.deleted, options.expressions);
    if (!reader) return pass_on(reader);
    if (options.events != nullptr) (*reader)->find_in(*options.events);
    return std::make_unique<TableFold>(std::move(options), std::move(*reader));
}

Result<std::unique_ptr<Operator>> make_table_diff(DiffOptions options) {
    if (options.by.empty()) return fail(ErrorKind::usage, "no key is given", "--by FIELD: which field tells the rows apart?");
    std::array<std::unique_ptr<ChangeReader>, 2> readers;
    for (auto& reader : readers) {
        auto made = ChangeReader::make(options.by, options.deleted, options.expressions);
        if (!made) return pass_on(made);
        reader = std::move(*made);
    }
    return std::make_unique<TableDiff>(std::move(options), std::move(readers));
}

Result<std::unique_ptr<Operator>> make_joined_tables(JoinedTablesOptions options) {
    if (options.left.on.empty() || options.left.by.empty()) {
        return fail(ErrorKind::usage, "nothing is given to join on", "--on LEFT[=RIGHT]: which fields must be equal?");
    }
    STREAM_CHECK(options.left.on.size() == options.right.on.size() && options.left.by.size() == options.right.by.size());
    std::array<std::unique_ptr<ChangeReader>, 2> readers;
    const JoinedTablesOptions::Side* sides[] = {&options.left, &options.right};
    for (std::size_t i = 0; i < 2; ++i) {
        auto made = ChangeReader::make(sides[i]->by, options.deleted, options.expressions, sides[i]->on);
        if (!made) return pass_on(made);
        if (sides[i]->events != nullptr) (*made)->find_in(*sides[i]->events);
        readers[i] = std::move(*made);
    }
    return std::make_unique<JoinedTables>(std::move(options), std::move(readers));
}

}  // namespace stream
