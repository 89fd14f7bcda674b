// SPDX-License-Identifier: Apache-2.0
#include "json/formats/json_record.hpp"

#include "base/text.hpp"
#include "json/canonical.hpp"

namespace stream {

Result<Value> JsonRecordFormat::read_object(std::string_view record) {
    line_.assign(record);
    line_.push_back('\n');
    const std::size_t size = line_.size();
    line_.append(scanner_padding, '\0');
    scanner_.start(line_.data(), size);
    const Scanner::Outcome outcome = scanner_.next();
    if (outcome == Scanner::Outcome::event) {
        std::string_view text = scanner_.line();
        const std::size_t begin = text.find('{');
        return value_of(text.substr(begin, text.rfind('}') + 1 - begin));
    }
    if (outcome == Scanner::Outcome::end) return fail(ErrorKind::data, "a blank line");
    const LineFault& fault = scanner_.fault();
    std::string reason = fault.reason;
    if (fault.column > 1) reason += " at column " + std::to_string(fault.column);
    if (fault.column > 0 && fault.column <= record.size()) reason += ": " + quoted(record.substr(fault.column - 1));
    return fail(ErrorKind::data, std::move(reason));
}

EpochStamp::EpochStamp(TimeUnit unit) {
    TimeOptions options;
    options.unit = unit;
    auto parser = TimeParser::make(options);
    if (parser) parser_.emplace(std::move(*parser));
}

Result<std::string> EpochStamp::json(const Value& number) {
    if (number.type != Type::number || !parser_) return fail(ErrorKind::data, "not a time: " + quoted(number.text));
    auto time = parser_->parse_number(number.text);
    if (!time) return pass_on(time);
    std::string text = "\"";
    append_rfc3339(text, *time);
    text += '"';
    return text;
}

}  // namespace stream
