// SPDX-License-Identifier: Apache-2.0
#include "cli/own_watermarks.hpp"

#include "base/text.hpp"
#include "json/canonical.hpp"

namespace stream {

Result<std::unique_ptr<OwnWatermarks>> OwnWatermarks::make(const std::vector<Field>& fields, DurationNs lateness, DurationNs every) {
    auto parser = TimeParser::make({});
    if (!parser) return pass_on(parser);
    auto made = std::unique_ptr<OwnWatermarks>(new OwnWatermarks(std::move(*parser), lateness, every));
    for (const Field& field : fields) {
        auto path = parse_field(field.name);
        if (!path) return pass_on(path);
        if (path->is_expression) return fail(ErrorKind::usage, "--time: a field is wanted, not an expression: " + stream::quoted(field.name));
        made->readers_.push_back({path->text, made->fields_.add(*path), field.ours});
    }
    made->scanner_ = std::make_unique<Scanner>(made->fields_);
    made->scanner_->limit_lines(line_max);
    return made;
}

const OwnWatermarks::Reader* OwnWatermarks::look() {
    for (Reader& reader : readers_) {
        const Value& value = scanner_->values()[reader.slot];
        if (value.is_nothing()) continue;
        if (!reader.ours) return nullptr;
        const auto time = read(reader, value);
        if (!time) return nullptr;
        const TimeNs reached = watermark_for(*time);
        if (reached <= reader.written) return nullptr;
        reader.written = reached;
        return &reader;
    }
    return nullptr;
}

std::optional<TimeNs> OwnWatermarks::read(const Reader& reader, const Value& value) {
    parser_.load(fresh_parser_);
    Result<TimeNs> time = fail(ErrorKind::data, "not a time");
    if (value.type == Type::number) {
        time = parser_.parse_number(value.text);
    } else if (value.type == Type::string && !value.escaped) {
        time = parser_.parse_text(value.inner());
    } else if (value.type == Type::string) {
        std::string text;
        append_unescaped(text, value);
        time = parser_.parse_text(text);
    }
    if (!time) return std::nullopt;
    return reader.field == "window_end" ? *time - 1 : *time;
}

void OwnWatermarks::follow(std::string_view event, std::string& out, const ControlLines& lines) {
    copy_.assign(event);
    copy_.push_back('\n');
    const std::size_t size = copy_.size();
    copy_.append(scanner_padding, '\0');
    scanner_->start(copy_.data(), size);
    if (scanner_->next() != Scanner::Outcome::event) return;
    if (const Reader* grown = look()) lines.append_watermark(out, grown->written, grown->field);
}

TimeNs OwnWatermarks::watermark_for(TimeNs time) const {
    const TimeNs least = time_sub(time, lateness_);
    if (every_ <= 0 || least == time_before_all) return least;
    TimeNs aligned = 0;
    return __builtin_mul_overflow(floor_div(least, every_), every_, &aligned) ? time_before_all : aligned;
}

Result<void> OwnWatermarks::pass(std::string_view bytes, Output& output, const ControlLines& lines) {
    if (in_long_line_) {
        const std::size_t end = bytes.find('\n');
        in_long_line_ = end == std::string_view::npos;
        const std::size_t size = in_long_line_ ? bytes.size() : end + 1;
        STREAM_TRY(output.append_run(bytes.substr(0, size)));
        bytes.remove_prefix(size);
    }
    const std::size_t last = bytes.rfind('\n');
    if (last != std::string_view::npos) {
        waiting_.insert(waiting_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(last + 1));
        STREAM_TRY(scan(waiting_.size(), output, lines));
        waiting_.clear();
        bytes.remove_prefix(last + 1);
    }
    waiting_.insert(waiting_.end(), bytes.begin(), bytes.end());
    if (waiting_.size() <= line_max) return {};
    in_long_line_ = true;
    STREAM_TRY(output.append_run({waiting_.data(), waiting_.size()}));
    waiting_ = {};
    return {};
}

Result<void> OwnWatermarks::end(Output& output, const ControlLines& lines) {
    if (waiting_.empty() && !in_long_line_) return {};
    return pass("\n", output, lines);
}

Result<void> OwnWatermarks::scan(std::size_t size, Output& output, const ControlLines& lines) {
    waiting_.resize(size + scanner_padding);
    const std::string_view all(waiting_.data(), size);
    std::size_t passed = 0;
    scanner_->start(all.data(), size);
    for (auto outcome = scanner_->next(); outcome != Scanner::Outcome::end; outcome = scanner_->next()) {
        const Reader* grown = outcome == Scanner::Outcome::event ? look() : nullptr;
        if (grown == nullptr) continue;
        STREAM_TRY(output.append_run(all.substr(passed, scanner_->line_next() - passed)));
        passed = scanner_->line_next();
        lines.append_watermark(output.buffer(), grown->written, grown->field);
        STREAM_TRY(output.commit());
    }
    return output.append_run(all.substr(passed));
}

}  // namespace stream
