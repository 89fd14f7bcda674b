// SPDX-License-Identifier: Apache-2.0
#include "cli/log/records.hpp"

#include <cstdlib>

namespace stream {

bool RecordScanner::scan(std::string_view record) {
    if (scanner_ == nullptr) scanner_ = std::make_unique<Scanner>(*fields_);
    line_.assign(record);
    line_.push_back('\n');
    const std::size_t size = line_.size();
    line_.append(scanner_padding, '\0');
    scanner_->start(line_.data(), size);
    switch (scanner_->next()) {
        case Scanner::Outcome::event: return true;
        case Scanner::Outcome::bad: fault_ = scanner_->fault().reason; return false;
        case Scanner::Outcome::end: fault_ = "a blank line"; return false;
    }
    return false;
}

Result<std::shared_ptr<RecordTime>> RecordTime::make(const std::string& named) {
    std::shared_ptr<RecordTime> made(new RecordTime);
    const char* environment = std::getenv("STREAM_TIME");
    auto time = EventTime::make(made->fields_, named, environment != nullptr ? environment : "", {});
    if (!time) return pass_on(time);
    made->time_ = std::make_unique<EventTime>(std::move(*time));
    return made;
}

TimeNs RecordTime::of(std::string_view record) {
    if (!scanner_.scan(record) || !time_->has(scanner_.values())) return time_before_all;
    auto time = time_->read(scanner_.values(), scanner_.event());
    return time ? *time : time_before_all;
}

Result<std::shared_ptr<RecordTest>> RecordTest::make(const char* option, const std::string& program, const expr::Settings& settings) {
    std::shared_ptr<RecordTest> made(new RecordTest);
    auto expression = expr::Expression::make(program, settings, made->fields_);
    if (!expression) return tl::unexpected<Error>(std::move(expression.error()).at(option));
    if (expression->is_assignment()) {
        return fail(ErrorKind::usage, std::string(option) + ": an assignment as a condition, which always holds: " + program, "== compares");
    }
    made->expression_ = std::make_unique<expr::Expression>(std::move(*expression));
    return made;
}

Result<bool> RecordTest::holds(std::string_view record) {
    if (!scanner_.scan(record)) return fail(ErrorKind::data, "not an event: " + scanner_.fault());
    return expression_->holds(scanner_.event(), scanner_.values());
}

Result<std::shared_ptr<RecordKey>> RecordKey::make(const std::string& field) {
    std::shared_ptr<RecordKey> made(new RecordKey);
    auto path = parse_plain_field(field);
    if (!path) return pass_on(path);
    made->slot_ = made->fields_.add(*path, true);
    made->keys_ = Keys({KeySpec{"", *path}}, made->fields_);
    return made;
}

std::string_view RecordKey::of(std::string_view record) {
    if (!scanner_.scan(record) || scanner_.values()[slot_].is_nothing()) return {};
    return keys_.bytes(scanner_.values(), scratch_);
}

}  // namespace stream
