// SPDX-License-Identifier: Apache-2.0
// jq's functions on numbers: the C library's, on doubles. What would be NaN or infinite is left to jq.
#include "expr/run.hpp"
#include "expr/val.hpp"
#include "json/number.hpp"

#include <cmath>
#include <cstdint>
#include <limits>

namespace stream::expr {
namespace {

constexpr const char* wanted = "%A number required";
constexpr double exact_integers = 9007199254740992.0;

// Whole results are integers as far as both are the same number and print alike; -0 is none.
Val result_of(double value) {
    if (!std::isfinite(value)) throw Punt{"a result that is not finite"};
    const bool whole = std::fabs(value) <= exact_integers && value == std::trunc(value);
    if (!whole || (value == 0 && std::signbit(value))) return Val::of_number(value);
    return Val::of_integer(static_cast<std::int64_t>(value));
}

// An integer written as one; 1e17 is a double, as it prints otherwise.
bool is_integer(Val in, std::int64_t& integer) {
    if (in.kind == Kind::integer) {
        integer = in.integer;
        return true;
    }
    if (in.kind != Kind::number_text) return false;
    const auto parsed = parse_int64(in.view());
    if (!parsed || (*parsed == 0 && in.view().front() == '-')) return false;
    integer = *parsed;
    return true;
}

template <double (*function)(double)>
Val of_one(Run& run, Val in, const Val*) {
    if (!in.is_number()) return run.fail(wanted, in);
    return result_of(function(double_of(in)));
}

// Those that leave an integer what it is, to the last of its 64 bits.
template <double (*function)(double)>
Val rounded(Run& run, Val in, const Val*) {
    if (!in.is_number()) return run.fail(wanted, in);
    std::int64_t integer = 0;
    if (is_integer(in, integer)) return Val::of_integer(integer);
    return result_of(function(double_of(in)));
}

Val fabs_of(Run& run, Val in, const Val*) {
    if (!in.is_number()) return run.fail(wanted, in);
    std::int64_t integer = 0;
    if (is_integer(in, integer) && integer != std::numeric_limits<std::int64_t>::min()) {
        return Val::of_integer(integer < 0 ? -integer : integer);
    }
    return result_of(std::fabs(double_of(in)));
}

template <double (*function)(double, double)>
Val of_two(Run& run, Val, const Val* args) {
    if (!args[0].is_number()) return run.fail(wanted, args[0]);
    if (!args[1].is_number()) return run.fail(wanted, args[1]);
    return result_of(function(double_of(args[0]), double_of(args[1])));
}

Val fma_of(Run& run, Val, const Val* args) {
    for (int i = 0; i < 3; ++i) {
        if (!args[i].is_number()) return run.fail(wanted, args[i]);
    }
    return result_of(::fma(double_of(args[0]), double_of(args[1]), double_of(args[2])));
}

Val pair_of(Run& run, double first, double second) {
    ArrayBuilder pair(run.arena, 2);
    pair.add(result_of(first));
    pair.add(result_of(second));
    return pair.finish();
}

Val frexp_of(Run& run, Val in, const Val*) {
    if (!in.is_number()) return run.fail(wanted, in);
    int exponent = 0;
    const double mantissa = ::frexp(double_of(in), &exponent);
    return pair_of(run, mantissa, exponent);
}

Val modf_of(Run& run, Val in, const Val*) {
    if (!in.is_number()) return run.fail(wanted, in);
    double whole = 0;
    const double fraction = ::modf(double_of(in), &whole);
    return pair_of(run, fraction, whole);
}

Val ldexp_of(Run& run, Val, const Val* args) {
    if (!args[0].is_number()) return run.fail(wanted, args[0]);
    if (!args[1].is_number()) return run.fail(wanted, args[1]);
    const double exponent = double_of(args[1]);
    if (std::fabs(exponent) > 10'000 || exponent != std::trunc(exponent)) throw Punt{"ldexp: the exponent"};
    return result_of(::ldexp(double_of(args[0]), static_cast<int>(exponent)));
}

// Without the sign in a global variable.
double log_gamma(double x) {
    int sign = 0;
    return ::lgamma_r(x, &sign);
}

constexpr Builtin functions[] = {
    {"floor", 0, rounded<::floor>},
    {"ceil", 0, rounded<::ceil>},
    {"round", 0, rounded<::round>},
    {"trunc", 0, rounded<::trunc>},
    {"rint", 0, rounded<::rint>},
    {"nearbyint", 0, rounded<::nearbyint>},
    {"fabs", 0, fabs_of},
    {"sqrt", 0, of_one<::sqrt>},
    {"cbrt", 0, of_one<::cbrt>},
    {"exp", 0, of_one<::exp>},
    {"exp2", 0, of_one<::exp2>},
    {"exp10", 0, of_one<::exp10>},
    {"expm1", 0, of_one<::expm1>},
    {"log", 0, of_one<::log>},
    {"log2", 0, of_one<::log2>},
    {"log10", 0, of_one<::log10>},
    {"log1p", 0, of_one<::log1p>},
    {"logb", 0, of_one<::logb>},
    {"lgamma", 0, of_one<log_gamma>},
    {"tgamma", 0, of_one<::tgamma>},
    {"sin", 0, of_one<::sin>},
    {"cos", 0, of_one<::cos>},
    {"tan", 0, of_one<::tan>},
    {"asin", 0, of_one<::asin>},
    {"acos", 0, of_one<::acos>},
    {"atan", 0, of_one<::atan>},
    {"sinh", 0, of_one<::sinh>},
    {"cosh", 0, of_one<::cosh>},
    {"tanh", 0, of_one<::tanh>},
    {"asinh", 0, of_one<::asinh>},
    {"acosh", 0, of_one<::acosh>},
    {"atanh", 0, of_one<::atanh>},
    {"frexp", 0, frexp_of},
    {"modf", 0, modf_of},
    {"pow", 2, of_two<::pow>},
    {"atan2", 2, of_two<::atan2>},
    {"fmod", 2, of_two<::fmod>},
    {"fmin", 2, of_two<::fmin>},
    {"fmax", 2, of_two<::fmax>},
    {"fdim", 2, of_two<::fdim>},
    {"hypot", 2, of_two<::hypot>},
    {"copysign", 2, of_two<::copysign>},
    {"nextafter", 2, of_two<::nextafter>},
    {"ldexp", 2, ldexp_of},
    {"fma", 3, fma_of},
};

}  // namespace

std::span<const Builtin> math_builtins() { return functions; }

}  // namespace stream::expr
