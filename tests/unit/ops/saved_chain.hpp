// SPDX-License-Identifier: Apache-2.0
// An operator's state as a run saves it: whole now and then, and what changed in between.
#pragma once

#include "json/scanner.hpp"
#include "ops/journal.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace stream::testing {

class SavedChain {
public:
    static constexpr std::size_t changes_most = 5;

    void save(Journal& journal) {
        StateWriter writer;
        if (journal.knows_changes() && !whole_.empty() && changes_.size() < changes_most) {
            journal.snapshot_changes(writer);
            changes_.push_back(writer.take());
            return;
        }
        journal.snapshot(writer);
        whole_ = writer.take();
        changes_.clear();
        journal.track(1 << 20, true);
    }

    // Into a new operator, which goes on noting what changes.
    void load(Journal& journal, const Journal::Scan& scan) const {
        StateReader whole(whole_);
        check(journal.restore(whole), whole);
        for (const std::string& bytes : changes_) {
            StateReader reader(bytes);
            check(journal.replay(reader, scan), reader);
        }
        journal.track(1 << 20, true);
    }

private:
    static void check(Result<void> done, const StateReader& reader) {
        if (!done) throw std::runtime_error(done.error().message());
        EXPECT_TRUE(reader.at_end());
    }

    std::string whole_;
    std::vector<std::string> changes_;
};

// Looks at the bytes of an event again; `text` keeps them.
inline bool scan_again(Scanner& scanner, std::string& text, std::string_view bytes, Event& event) {
    text.assign(bytes);
    text += '\n';
    const std::size_t size = text.size();
    text.append(scanner_padding, ' ');
    scanner.start(text.data(), size);
    if (scanner.next() != Scanner::Outcome::event) return false;
    event.raw = scanner.line();
    event.values = scanner.values();
    return true;
}

}  // namespace stream::testing
