// SPDX-License-Identifier: Apache-2.0
// Any bytes as an event, under expressions that use all of the language. The first byte says which of them
// (all, if it already belongs to the event); nothing runs in libjq.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "base/text.hpp"
#include "expr/expression.hpp"
#include "json/scanner.hpp"

using namespace stream;

namespace {

// Of the input there are .a .b .c .d (anything), .s .t (often strings), .n .m (often numbers), .l (often
// an array) and .o (often an object).
constexpr std::string_view programs[] = {
    // Looking in.
    ".", ".a", ".a.b", ".a.b.c?", ".a[0]", ".a[-1]", ".a[.n]", ".o[.s]", ".a[\"b\"]?", ".a[70]?", ".a.\"b c\"", ".[\"é\"]", ".l[1].a",
    ".l[1:]", ".l[:-1]", ".l[.n:.m]", ".s[1:-1]", ".s[.n:]?", "[.l[2:4][]?]", ".l[.l[0]]?", ".a as $x | .b[$x]?",
    "[.l[]]", "[.o[]]", "[.[]]", "[.l[]?.a?]", "[..]", "[..|numbers]", "[.a[]?,.b[]?]", "[recurse(.a?)]", "[recurse(.[]?)]|length",
    "[recurse(.[]?; . != null)]", "[.l,.o|.[]?|..|strings]", "[.[]|.[]?|.[]?]", ".a,.b,.c", "[.l[]?|select(.a? == 1)]",
    // Values.
    "[]", "{}", "{a,b}", "{a:.b,b:.a,c:{d:.c}}", "{(.s):.n}", "{\"x\\(.n)\":1}", "{a:.l[]?}", "[.a,[.b,[.c]]]", "[[[.]]]", "{v:.,w:[.]}",
    "\"\\(.a) and \\(.b)\"", "\"\\(.s)\\(.n)\\(.l[]?)\"", "1.50,1e1000,0.1,-0,12345678901234567890", "$arg.k[.n]?", "$num+.n",
    "env.HOME+$ENV.HOME", "now",
    // Operators.
    ".n+.m", ".n-.m", ".n*.m", ".n/.m", ".n%.m", "-.n", ".a+.b", ".a-.b", ".a*.b", ".a/.b", ".a%.b", ".s+.t", ".s/.t", ".s*.n", ".l+.l",
    ".l-.l[1:]", ".o+.a", ".o*.o", ".o*.b", "[.l[]?+1]", "(.n,.m)*(.n,.m)", ".a==.b", ".a<.b", ".a<=.b,.a>=.b", ".n>.m", ".a!=.a",
    "[.l[]?<.n]", ".a and .b", ".a or .b", "(.a and .b or .c)|not", ".a//.b", ".l[]? // \"none\"", "(.l[]?|.a?) // (.o[]?)", ".a//empty",
    // Ways through.
    "if .a then .b else .c end", "if .a == 1 then 1 elif .b then 2 else 3 end", "[if .l[]? then 1 else 0 end]", "try .a.b.c catch .",
    "[.l[]?|try error catch .]", "try error(.a) catch .", "try error(\"x\\(.s)\") catch length", "[.l[]?|tonumber?]", "(.a|error)?",
    "try (.l|.[\"x\"]) catch .", "[.[]|try keys catch .]", ".a as $x|.b as $y|[$y,$x]", ".l as [$x,[$y]]|[$y,$x]",
    ".o as {a:$x,$b,(\"c\"):{d:$z}}|[$x,$b,$z]", ".l as [$x,{a:$y,$b:[$z]}]|{$x,$y,$z,$b}", "[.l[]? as $x|.n as $y|[$x,$y]]",
    "[.l[]? as [$x,$y]|$y,$x]", ".s as $k|.[$k]?", "reduce .l[]? as $x (0;.+1)", "reduce .l[]? as $x (null;.+$x)",
    "reduce .l[]? as [$x,$y] ({};.+{($x|tostring):$y})", "reduce (..|scalars) as $x ([];.+[$x])|length", "reduce range(0;.n) as $i ([];[.])",
    "[foreach .l[]? as $x (0;.+1)]", "[foreach .l[]? as $x (null;$x;[.,$x])]", "[foreach range(5) as $i (.n;.+$i;select(.%2==0))]",
    "[limit(3;.l[]?)]", "[limit(.n;.l[]?)]", "first(.l[]?)", "[first(range(.n;.m))]", "last(.l[]?)", "nth(1)?",
    "[label $out|.l[]?|if .==null then ., break $out else . end]", "[label $f|range(10)|.,(select(.==3)|break $f)]",
    "[range(.n)]", "[range(.n;.m)]", "[range(.n;.m;.k)]", "[range(0;1;.n)]|length", "[.n|until(.>100;.*2+1)]", "[.n|while(.<100;.*2+1)]",
    "[limit(5;.a|recurse(.))]", "[limit(8;.a|while(true;[.]))]", "[.a|limit(1100;recurse([.]))]|length", "[.s|limit(12;while(true;tojson))]",
    "[.s|limit(30;recurse(.+.))]|length", "any(.l[]?;.)", "all(.l[]?;. == 1)", ".l|any", ".l|all", ".l|any(type == \"null\")", ".l|all(.>1)", "[.l[]?]==[]",
    "def f: .a; def g(x): x|x; def h($p; q): [$p,p,q]; [g(f?),h(.n;.m)]", "def a(f): def b: f; [b,b]; a(.l[]?)",
    // Builtins.
    ".a|length", "[.[]|length?]", ".a|type", "[.[]|type]", ".a|keys", ".a|keys_unsorted", "[.[]|keys?]", ".o|has(\"a\")", ".l|has(1)", ".a|has(.b?)",
    ".s|in({\"a\":1})", ".a|contains(\"a\")?", ". as $e|.a|contains($e.b)", ". as $e|.a|inside($e.b)", ".l|add", ".o|add", ".a|add",
    ".a|to_entries", ".l|from_entries", ".o|with_entries(.value|=[.])", ".o|with_entries(select(.key!=\"a\"))", ".l|flatten", ".l|flatten(1)",
    ". as $e|.l|flatten($e.n)", ".a|reverse", ". as $e|.s|indices($e.t)", ". as $e|.l|indices($e.n)", ". as $e|[.s|index($e.t),rindex($e.t)]",
    ".l|indices([1,2])", ".l|sort", ".l|sort_by(.a?)", ".l|sort_by(.a?,.b?)", ".l|group_by(.a?)", ".l|group_by(.)", ".l|unique", ".l|unique_by(type)",
    ".l|unique_by(length?)", ".l|[min,max]", ".l|[min_by(.a?),max_by(.a?)]", ".a|sort", ".l|map(.)", ".l|map(.a?)", ".a|map_values(1)",
    "[.[]|values]", "[.[]|nulls,booleans,numbers,strings,arrays,objects]", "[.[]|iterables,scalars]", ".l|first,last", "IN(.l[]?)", ".n|IN(1,2,3)",
    ".a|tojson", ".a|tostring", ".s|tonumber", ".s|fromjson", ".a|tojson|fromjson", "[.[]|tostring]", "[.[]|tonumber?]", "[..|tojson]|length",
    ". as $e|.s|split($e.t)", ".s|split(\",\")", ". as $e|.l|join($e.t)", ".l|join(\",\")", ". as $e|.s|[startswith($e.t),endswith($e.t)]",
    ". as $e|.s|ltrimstr($e.t)|rtrimstr($e.t)", ".s|ascii_downcase", ".s|ascii_upcase", ".s|explode", ".l|implode", ".s|utf8bytelength",
    ".s|explode|map(.+1)|implode", "[.[]|not]",
    // Formats.
    ".a|@text", ".a|@json", ".l|@csv", ".l|@tsv", ".a|@html", ".a|@uri", ".l|@sh", ".a|@sh", ".a|@base64", ".s|@base64d", "@csv \"\\(.l),\\(.l)\"",
    "@html \"<\\(.a)>\"", "@uri \"?q=\\(.s)&r=\\(.t)\"", "@sh \"echo \\(.s)\"", "@json \"\\(.a):\\(.b)\"", "@base64 \"\\(.s)\"", "@tsv \"\\([.n,.s])\"",
    // Regular expressions.
    ".s|test(\"a.c\")", ".s|test(\"A\";\"i\")", ". as $e|.s|test($e.t)", ". as $e|.s|test($e.t;\"gx\")", ".s|[match(\"(?<m>a)(?<n>b)\";\"g\")]",
    ". as $e|[.s|match($e.t;\"g\")]", ".s|capture(\"(?<x>[a-z]+)-(?<y>[0-9]+)\")", ". as $e|[.s|capture($e.t)]", "[.s|scan(\"[a-z]+\")]",
    "[.s|scan(\"(a)(b)\")]", ". as $e|[.s|scan($e.t)]", ". as $e|[.s|splits($e.t)]", ".s|split(\", *\";null)", ".s|sub(\"a\";\"b\")",
    ".s|gsub(\"(?<l>[a-z])\";\"<\\(.l)>\")", ". as $e|.s|gsub($e.t;\"-\")", ".s|gsub(\"[aeiou]\";\"*\";\"i\")", ". as $e|.s|sub($e.t;\"x\\(.n)\";\"g\")",
    // Dates.
    ".n|todate", ".s|fromdate", ".n|gmtime", ".n|gmtime|mktime", ".l|mktime", ".n|strftime(\"%Y-%m-%dT%H:%M:%SZ\")", ". as $e|.n|strftime($e.s)",
    ".s|strptime(\"%Y-%m-%dT%H:%M:%SZ\")", ". as $e|.s|strptime($e.t)", ".l|todate", ".l|strftime(\"%A %j %U\")", ".s|seconds", ".n|seconds", ".a|seconds",
    // Mathematics.
    "[.n|floor,ceil,round,trunc,fabs,sqrt,cbrt]", "[.n|(exp,exp2,exp10,expm1,log,log2,log10,log1p)?]", "[.n|sin,cos,tan,atan,sinh?,cosh?,tanh,asinh]",
    "[.n|asin,acos]", "[.n|acosh]", "[.n|atanh]", "[.n|frexp,modf]", "[.n|lgamma]", "[.n|tgamma]", "[.n|logb,rint,nearbyint]", "pow(.n;.m)",
    "[atan2(.n;.m),fmin(.n;.m),fmax(.n;.m),fdim(.n;.m),hypot(.n;.m)]", "fmod(.n;.m)", "[copysign(.n;.m),nextafter(.n;.m)]", "ldexp(.n;.m)",
    "fma(.n;.m;.n)", "[.l[]?|floor?]", ".a|floor",
    // Paths, and changes by them.
    "[path(..)]", "[path(.a,.b)]", "[path(.l[]?)]", "[path(.a[.n]?)]", "[paths]", "[paths(numbers)]", "[leaf_paths]", "[path(.l|first)]",
    "[path(.l[]?|select(.a?))]", "[path(if .a then .b else .c end)]", "[path(.a//.b)]", "[path(first(.l[]?))]", "[path(limit(2;.l[]?,.o[]?))]",
    "getpath([\"a\",\"b\"])", "getpath([\"l\",0,\"a\"])?", "getpath(.l)", "[getpath(paths)]", "setpath([\"a\"];1)", "setpath([\"l\",.n];.a)",
    "setpath(.l;1)", "del(.a)", "del(.a.b)", "del(.l[0,2])", "del(.l[]?|select(.a?==1))", "del(.[\"a\",\"b\"])", "del(..|select(.==null))",
    "del(.l[.n])", "del(.l[-1])", "del(.o[.s])", "del(.)", ".a=1", ".a.b.c=.n", ".l[.n]=1", ".l[-1]=1", ".l[2]=.l", ".a|=[.]", ".l[]?|=[.]",
    ".l|=map(.a?)", ".o[]?|=length", "(.a,.b)|=1", "(.a,.b)=.n", ".n+=1", ".n-=.m", ".n*=2", ".n/=.m", ".n%=.m", ".a//=.b", ".l[]?+=1", ".s+=.t",
    "..|=.", "(..|strings)|=ascii_upcase", "(..|numbers)|=.+1", "(.l[]?|select(.a?))|=1", ".a[\"x\"]=1", ".a[3]=1", ".x.y[2].z=.a",
    "reduce paths as $p (.;setpath($p;1))", "[paths as $p|getpath($p)]|length", "to_entries|map(.key)",
};

// These give true wherever they give anything.
constexpr std::string_view laws[] = {
    ". == .", "[.[]] == (keys_unsorted as $k|. as $e|[$k[]|$e[.]])", "(.l|arrays|sort) == (.l|sort|sort)", "(.l|arrays|reverse|reverse) == .l",
    "(.l|arrays|unique) == (.l|group_by(.)|map(.[0]))", "(.l|arrays|sort) == ([.l|group_by(.)|.[][]])", "(.l|arrays|min) == (.l|sort|.[0])",
    "(.l|arrays|max) == (.l|sort|.[-1])", "(to_entries|from_entries) == .", "with_entries(.) == .", "(.s|strings|explode|implode) == .s",
    "(.s|strings|@base64|@base64d) == .s", "(.s|strings|split(\",\")|join(\",\")) == .s", "(.s|strings|tojson|fromjson) == .s",
    "(tojson|fromjson|tojson) == tojson", "([paths]|length) == ([..]|length-1)", "[getpath(paths)] == [..][1:]", "[leaf_paths] == [paths(scalars)]",
    "(.l|arrays|length) == ([.l[]]|length)", "(.l|arrays|.[:2]+.[2:]) == .l", "(.s|strings|.[:2]+.[2:]) == .s", "(.l|arrays|del(.[0])) == .l[1:]",
    "(.a|=.) == (.a=.a)", "(.a=1|.a) == 1", "(del(.a)|has(\"a\")) == false", "(..|=.) == .", "(.a<.b) == (.b>.a)", "(.a<=.b) == (.a<.b or .a==.b)",
    "(.a==.b) == (.a<=.b and .b<=.a)", "([.a,.b]|sort) == (if .a<=.b then [.a,.b] else [.b,.a] end)", "(.n|numbers|tojson|tonumber|tojson) == (.n|tojson)",
    "(.n|numbers|-(-.)) == (.n|-(-(-(-.))))", "(.n|numbers|.+0) == (.n|.*1)", "(.n|numbers|floor) <= (.n|ceil)", "(.l|arrays|.-.) == []", "(.o|objects|.+.) == .o",
    "(.o|objects|.*.) == .o", "(.o|objects|keys) == (.o|keys_unsorted|sort)", "(.l|arrays|[limit(2;.[])]) == .l[:2]", "(.l|arrays|[first(.[])]) == .l[:1]",
    "(.l|arrays|add) == (reduce .l[] as $x (null;.+$x))", "(.l|arrays|any) == (any(.l[];.))", "(.l|arrays|all) == (all(.l[];.))",
    "(.l|arrays|contains(.)) == true", "(.o|objects|contains(.)) == true", "(.s|strings|startswith(.) and endswith(.)) == true",
    "(.s|strings|length) == (.s|explode|length)", "(.s|strings|utf8bytelength) >= (.s|length)", "(.s|strings|ascii_upcase|ascii_downcase) == (.s|ascii_downcase)",
    "(.n|numbers|gmtime|mktime) == (.n|floor)", "(.n|numbers|todate|fromdate) == (.n|floor)", "[.l|arrays|flatten|.[]|arrays] == []",
    ". as $e|([.s|strings|match($e.t;\"g\")|$e.s[.offset:.offset+.length]]) == ([.s|strings|match($e.t;\"g\")|.string])",
    ". as $e|(.s|strings|[index($e.t),rindex($e.t)]) == ([.s|indices($e.t)|.[0],.[-1]])",
};

constexpr unsigned nested_max = depth_max;  // of a result, which may be an event

struct Given {
    std::vector<std::string> results;
    std::string failure;
    friend bool operator==(const Given&, const Given&) = default;
};

struct Compiled {
    std::string_view program;
    bool is_law = false;
    expr::Expression expression;
};

struct Subject {
    FieldSet fields;
    std::vector<Compiled> compiled;

    Subject() {
        expr::Settings settings;
        settings.arguments = {{"arg", R"({"k":[1,"x",null,{"a":[]}]})"}, {"num", "12345678901234567890"}};
        settings.environment = {{"HOME", "/nonexistent"}};
        settings.now = 1'700'000'000.25;
        settings.memory_bytes = 1u << 20;
        settings.steps = 20'000;
        settings.fall_back = false;
        for (const std::string_view program : programs) add(program, false, settings);
        for (const std::string_view program : laws) add(program, true, settings);
        STREAM_CHECK(compiled.size() == std::size(programs) + std::size(laws));
    }
    void add(std::string_view program, bool is_law, const expr::Settings& settings) {
        auto made = expr::Expression::make(program, settings, fields);
        if (made) compiled.push_back({program, is_law, std::move(*made)});
        else std::fprintf(stderr, "%s\n", made.error().message().c_str());
    }
};

// How deep brackets are nested in a valid JSON text.
unsigned nesting(std::string_view json) {
    unsigned open = 0;
    unsigned most = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
        const char c = json[i];
        if (quoted && c == '\\') ++i;
        else if (c == '"') quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{')) most = std::max(most, ++open);
        else if (!quoted && (c == ']' || c == '}')) --open;
    }
    return most;
}

// As the member of an event, or as an event itself.
bool is_json(std::string_view text) {
    std::string line;
    if (text.starts_with('{')) line = text;
    else line.append("{\"v\":").append(text).append("}");
    line += '\n';
    const std::size_t size = line.size();
    line.append(scanner_padding, '\0');
    FieldSet none;
    Scanner scanner(none);
    scanner.start(line.data(), size);
    return scanner.next() == Scanner::Outcome::event && scanner.next() == Scanner::Outcome::end;
}

Given run(expr::Expression& expression, const Scanner& scanner) {
    Given given;
    const auto ran = expression.run(scanner.line(), scanner.values());
    if (!ran) {
        STREAM_CHECK(ran.error().kind() == ErrorKind::data);
        given.failure = "failed: " + ran.error().message();
        STREAM_CHECK(is_utf8(given.failure));
    }
    const std::size_t count = ran ? expression.results().size() : expression.results_before_failure();
    STREAM_CHECK(count <= expression.results().size());
    for (std::size_t i = 0; i < count; ++i) given.results.emplace_back(expression.results()[i].text);
    return given;
}

void check_on(Compiled& compiled, const Scanner& scanner) {
    const Given given = run(compiled.expression, scanner);
    bool truthy = false;
    for (std::size_t i = 0; i < given.results.size(); ++i) {
        const std::string& text = given.results[i];
        const Value& value = compiled.expression.results()[i];
        truthy = truthy || value.is_truthy();
        const unsigned depth = nesting(text);
        const bool right = value.type != Type::missing && depth <= nested_max &&
                           ((depth == nested_max && !text.starts_with('{')) || is_json(text)) && (!compiled.is_law || text == "true");
        if (right) continue;
        std::fprintf(stderr, "%.*s gives %s\n", static_cast<int>(compiled.program.size()), compiled.program.data(), text.substr(0, 2000).c_str());
        STREAM_CHECK(!"a right result");
    }
    if (compiled.program == "." && given.failure.empty()) STREAM_CHECK(given.results.size() == 1 && given.results[0] == scanner.line());
    const auto holds = compiled.expression.holds(scanner.line(), scanner.values());
    if (given.failure.empty()) STREAM_CHECK(holds.has_value() && *holds == truthy);
    STREAM_CHECK(run(compiled.expression, scanner) == given);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Subject subject;
    std::string text(reinterpret_cast<const char*>(data), size);
    if (text.empty()) return 0;
    const bool all = text[0] == '{';
    const std::size_t chosen = all ? 0 : static_cast<unsigned char>(text[0]) % subject.compiled.size();
    if (!all) text.erase(0, 1);
    text.push_back('\n');
    const std::size_t length = text.size();
    text.append(scanner_padding, '\0');
    Scanner scanner(subject.fields);
    scanner.start(text.data(), length);
    for (;;) {
        const Scanner::Outcome outcome = scanner.next();
        if (outcome == Scanner::Outcome::end) return 0;
        if (outcome == Scanner::Outcome::bad) continue;
        if (!all) check_on(subject.compiled[chosen], scanner);
        else for (Compiled& compiled : subject.compiled) check_on(compiled, scanner);
    }
}

#ifndef STREAM_LIBFUZZER
#include "driver.hpp"

std::span<const std::string_view> fuzz_words() {
    static constexpr std::string_view words[] = {
        "null", "true", "false", "0", "-0", "1", "2", "-1", "3", "0.5", "1.0", "1e3", "1E-2", "-0.0", "0e0", "1e400", "-1e400", "1e-400",
        "9007199254740993", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "12345678901234567890", "0.1", "1.7e308",
        "253402300800", "-62135596801", "1700000000", "1700000000.5", "4294967296", "1000000", "5e-324", "\"\"", "\"a\"", "\"b\"", "\"a,b\"",
        "\"abc\"", "\"aabbab-12\"", "\"é\"", "\"\\u00e9\"", "\"\\ud83d\\ude00\"", "\"😀\"", "\"\\ud800\"", "\"\\u0000\"", "\"\\n\"", "\"\\\"\"",
        "\"1\"", "\"1e5\"", "\"[1,{}]\"", "\"nan\"", "\"YWJj\"", "\"YQ==\"", "\"2024-02-29T12:30:00Z\"", "\"%Y-%m-%d\"", "\"%s\"",
        "\"2024-02-30T25:61:61Z\"", "\"(a)(?<n>b)?\"", "\"[a-z]+\"", "\"(\"", "\"a*\"", "\"a|b\"", "\"^\"", "\"\\\\d+\"", "\".\"", "[]", "{}", "[[]]",
        "[1,2,3]", "[3,1,2,1]", "[null,false,\"a\",[],{}]", "[{\"a\":1},{\"a\":2}]", "[[1],[2,[3,[4]]]]", "[\"a\",\"b\"]", "[\"l\",0]", "[2024,1,29,12,30,0,4,59]",
        "{\"a\":1}", "{\"b\":{\"c\":2}}", "{\"key\":\"k\",\"value\":1}", "[{\"key\":\"k\",\"value\":1}]", "{\"a\":null,\"a\":2}", ",", ":", "[", "]", "{", "}", " ",
        "\"a\":", "\"b\":", "\"c\":", "\"d\":", "\"s\":", "\"t\":", "\"n\":", "\"m\":", "\"k\":", "\"l\":", "\"o\":", "\"\\u0061\":", "\"é\":", "\n{\"a\":",
        "[[[[[[[[[[", "]]]]]]]]]]", "\\u0041", "\\ud834", "<", "&", "'", "%", "/"};
    return words;
}
#endif
