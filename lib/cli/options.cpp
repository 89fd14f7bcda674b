// SPDX-License-Identifier: Apache-2.0
#include "cli/options.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "json/canonical.hpp"

namespace stream {

namespace {
// What people call these elsewhere.
constexpr std::pair<std::string_view, std::string_view> option_synonyms[] = {
    {"--group-by", "--by"},          {"--key", "--by"},        {"--keys", "--by"},       {"--partition-by", "--by"},
    {"--grace", "--lateness"},       {"--delay", "--lateness"}, {"--watermark", "--lateness"},
    {"--timestamp", "--time"},       {"--event-time", "--time"}, {"--timezone", "--tz"}, {"--zone", "--tz"},
    {"--limit", "--top"},            {"--tail", "--follow"},   {"--input-format", "--format"},
    {"--unbuffered", "--line-buffered"}, {"--window", "--within"}, {"--ttl", "--within"}, {"--header", "--columns"},
    {"--count", "--events"},         {"-V", "--version"},      {"-k", "--by"},           {"-u", "--line-buffered"},
};
}  // namespace

struct Options::Impl {
    std::string tool;
    std::string summary;
    std::string usage;
    CLI::App app;
    struct Example {
        std::string command;
        std::string says;
    };
    std::vector<Example> examples;
    std::vector<OptionInfo> infos;
    std::vector<PositionalInfo> positionals;
    std::vector<std::string>* positional_values = nullptr;
    struct Setter {
        std::string name;
        std::unique_ptr<std::string> text;
        CLI::Option* option;
        std::function<Result<void>(const std::string&)> set;
    };
    std::vector<Setter> setters;
    bool help = false;
    bool version = false;
    bool dump = false;

    std::string names(const OptionInfo& info) const {
        return info.short_name.empty() ? info.name : info.short_name + "," + info.name;
    }
};

Options::Options(std::string tool, std::string summary, std::string usage) : impl_(std::make_unique<Impl>()) {
    impl_->tool = std::move(tool);
    impl_->summary = std::move(summary);
    impl_->usage = std::move(usage);
    impl_->app.set_help_flag();
    impl_->app.allow_extras(true);
    impl_->app.allow_windows_style_options(false);
}
Options::~Options() = default;

void Options::example(std::string command, std::string says) {
    impl_->examples.push_back({std::move(command), std::move(says)});
}

void Options::flag(std::string name, std::string short_name, std::string help, bool& value) {
    OptionInfo info{std::move(name), std::move(short_name), "", std::move(help), {}};
    impl_->app.add_flag(impl_->names(info), value);
    impl_->infos.push_back(std::move(info));
}

void Options::value(OptionInfo info, std::string& value) {
    impl_->app.add_option(impl_->names(info), value)->take_last()->expected(1);
    impl_->app.get_option(info.name)->multi_option_policy(CLI::MultiOptionPolicy::Throw);
    impl_->infos.push_back(std::move(info));
}

void Options::value(OptionInfo info, std::optional<std::string>& value) {
    parsed(std::move(info), [&value](const std::string& text) -> Result<void> {
        value = text;
        return {};
    });
}

void Options::values(OptionInfo info, std::vector<std::string>& values) {
    impl_->app.add_option(impl_->names(info), values)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    impl_->infos.push_back(std::move(info));
}

void Options::parsed(OptionInfo info, std::function<Result<void>(const std::string&)> set) {
    auto text = std::make_unique<std::string>();
    CLI::Option* option = impl_->app.add_option(impl_->names(info), *text)
                              ->expected(1)
                              ->multi_option_policy(CLI::MultiOptionPolicy::Throw);
    impl_->setters.push_back({info.name, std::move(text), option, std::move(set)});
    impl_->infos.push_back(std::move(info));
}

void Options::positionals(PositionalInfo info, std::vector<std::string>& values) {
    impl_->positionals.push_back(std::move(info));
    impl_->positional_values = &values;
}

Result<Options::Next> Options::parse(int argc, char** argv) {
    impl_->app.add_flag("-h,--help", impl_->help);
    impl_->app.add_flag("--version", impl_->version);
    impl_->app.add_flag("--dump-options", impl_->dump);
    const std::string see = "see '" + impl_->tool + " --help'";
    // Words that are no options are the tool's own; what looks like an option and is none is an error.
    // "--" makes words of all that follows.
    std::vector<std::string> words;
    std::vector<std::string> options;
    bool only_words = false;
    const bool numbers = std::any_of(impl_->positionals.begin(), impl_->positionals.end(), [](const auto& info) { return info.numbers; });
    for (int i = 1; i < argc; ++i) {
        std::string word = argv[i];
        const bool number = numbers && word.size() > 1 && word[0] == '-' && word[1] >= '0' && word[1] <= '9';
        if (only_words || number || word == "-" || word.empty() || word[0] != '-') {
            words.push_back(std::move(word));
            continue;
        }
        if (word == "--") {
            only_words = true;
            continue;
        }
        const std::string name = word.substr(0, word.find('='));
        const CLI::Option* known = impl_->app.get_option_no_throw(
            word.size() > 2 && word[1] != '-' ? word.substr(0, 2) : name);
        if (known == nullptr) {
            std::vector<std::string_view> candidates{"--help", "--version"};
            for (const OptionInfo& info : impl_->infos) candidates.emplace_back(info.name);
            std::string_view near = nearest(name, candidates);
            for (const auto& [synonym, meant] : option_synonyms) {
                if (name == synonym && std::find(candidates.begin(), candidates.end(), meant) != candidates.end()) near = meant;
            }
            return fail(ErrorKind::usage, "no option " + stream::quoted(name),
                        near.empty() ? see : "did you mean " + std::string(near) + "?");
        }
        const bool takes_value = known->get_expected_max() > 0;
        options.push_back(word);
        const bool attached = word.find('=') != std::string::npos || (word[1] != '-' && word.size() > 2);
        if (takes_value && !attached) {
            if (i + 1 >= argc) return fail(ErrorKind::usage, name + " needs a value", see);
            if (word[1] == '-' || argv[i + 1][0] == '\0') options.back() += "=";  // a short one takes it as it is
            options.back() += argv[++i];
        }
    }
    std::reverse(options.begin(), options.end());
    try {
        impl_->app.parse(options);
    } catch (const CLI::ParseError& error) {
        std::string message = error.what();
        if (const std::size_t at = message.find(": 1 required "); at != std::string::npos && message.ends_with(" missing")) {
            message = message.substr(0, at) + ": an empty value";
        }
        for (const OptionInfo& info : impl_->infos) {
            const CLI::Option* option = impl_->app.get_option_no_throw(info.name);
            if (option != nullptr && option->count() > 1 && option->get_multi_option_policy() == CLI::MultiOptionPolicy::Throw) {
                message = info.name + " is given twice";
            }
        }
        return fail(ErrorKind::usage, message, see);
    }
    if (impl_->help) return Next::help;
    if (impl_->version) return Next::version;
    if (impl_->dump) return Next::dump;
    for (Impl::Setter& setter : impl_->setters) {
        if (setter.option->count() == 0) continue;
        auto done = setter.set(*setter.text);
        if (!done) return tl::unexpected<Error>(std::move(done.error()).at(setter.name));
    }
    if (impl_->positional_values != nullptr) {
        *impl_->positional_values = std::move(words);
    } else if (!words.empty()) {
        return fail(ErrorKind::usage, "takes no argument: " + stream::quoted(words.front()), see);
    }
    return Next::run;
}

std::string Options::given(const std::vector<std::string>& without) const {
    std::string text;
    for (const OptionInfo& info : impl_->infos) {
        const CLI::Option* option = impl_->app.get_option_no_throw(info.name);
        if (option == nullptr || option->count() == 0) continue;
        if (std::find(without.begin(), without.end(), info.name) != without.end()) continue;
        if (!text.empty()) text += ' ';
        text += info.name;
        if (info.type.empty()) continue;
        for (const std::string& value : option->results()) text += " " + value;
    }
    return text;
}

std::vector<std::string> Options::given_names() const {
    std::vector<std::string> names;
    for (const OptionInfo& info : impl_->infos) {
        const CLI::Option* option = impl_->app.get_option_no_throw(info.name);
        if (option != nullptr && option->count() > 0) names.push_back(info.name);
    }
    return names;
}

std::string Options::short_help_text() const {
    std::string text = impl_->tool + " - " + impl_->summary + "\n\nusage: " + impl_->usage + "\n\n";
    for (std::size_t i = 0; i < std::min<std::size_t>(2, impl_->examples.size()); ++i) {
        text += "  " + impl_->examples[i].command + "\n";
    }
    text += "\n" + impl_->tool + " --help tells more; '-' as FILE reads standard input here.\n";
    return text;
}

std::string Options::help_text() const {
    std::string text = impl_->tool + " - " + impl_->summary + "\n\nusage: " + impl_->usage + "\n\nExamples:\n";
    for (const Impl::Example& example : impl_->examples) {
        text += "  # " + example.says + "\n  " + example.command + "\n";
    }
    for (const PositionalInfo& info : impl_->positionals) {
        text += "\n" + info.name + "\n    " + info.help + "\n";
    }
    text += "\nOptions:\n";
    const auto line = [&](const std::string& left, const std::string& help) {
        text += "  " + left;
        const auto width = static_cast<std::size_t>(
            std::count_if(left.begin(), left.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
        if (width < 26) text.append(26 - width, ' ');
        else text += "\n" + std::string(28, ' ');
        text += help + "\n";
    };
    for (const OptionInfo& info : impl_->infos) {
        std::string left = info.short_name.empty() ? info.name : info.short_name + ", " + info.name;
        if (!info.type.empty()) left += " " + info.type;
        line(left, info.help);
    }
    line("-h, --help", "this text");
    line("--version", "the version");
    text += "\nThe manual: man " + impl_->tool + "; events and time: man 5 events; all tools: streamutils\n";
    return text;
}

std::string Options::dump_text() const {
    std::string out;
    const auto member = [&](std::string_view name, std::string_view value) {
        append_quoted(out, name);
        out += ':';
        append_quoted(out, value);
    };
    const auto list = [&](const std::vector<std::string>& values) {
        out += ",\"values\":[";
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (i > 0) out += ',';
            append_quoted(out, values[i]);
        }
        out += ']';
    };
    std::vector<OptionInfo> all = impl_->infos;
    all.push_back({"--help", "-h", "", "show help", {}});
    all.push_back({"--version", "", "", "show the version", {}});
    for (const OptionInfo& info : all) {
        out += '{';
        member("name", info.name);
        out += ',';
        member("short", info.short_name);
        out += ',';
        member("type", info.type);
        out += ',';
        member("help", info.help);
        list(info.values);
        out += "}\n";
    }
    for (const PositionalInfo& info : impl_->positionals) {
        out += '{';
        member("positional", info.name);
        out += ',';
        member("help", info.help);
        out += info.files ? ",\"files\":true" : ",\"files\":false";
        list(info.values);
        out += "}\n";
    }
    return out;
}

}  // namespace stream
