#include "request.h"

#include <nlohmann/json.hpp>

namespace rtmc::runner {
namespace {

const Json *find(const Json &request, const char *key) {
  const auto found = request.find(key);
  return found == request.end() || found->is_null() ? nullptr : &*found;
}

const Json &need(const Json &request, const char *key) {
  const Json *found = find(request, key);
  if (!found) throw Failure(std::string("the request has no '") + key + "'");
  return *found;
}

}  // namespace

std::string textOf(const Json &request, const char *key) {
  const Json &value = need(request, key);
  if (!value.is_string()) throw Failure(std::string("'") + key + "' is not a string");
  return value.get<std::string>();
}

std::string textOf(const Json &request, const char *key, const std::string &missing) {
  return find(request, key) ? textOf(request, key) : missing;
}

uint64_t countOf(const Json &request, const char *key, uint64_t largest) {
  const Json &value = need(request, key);
  if (!value.is_number_unsigned() || value.get<uint64_t>() > largest) {
    throw Failure(std::string("'") + key + "' is not a whole number from 0 to " + std::to_string(largest));
  }
  return value.get<uint64_t>();
}

uint64_t countOf(const Json &request, const char *key, uint64_t largest, uint64_t missing) {
  return find(request, key) ? countOf(request, key, largest) : missing;
}

double numberOf(const Json &request, const char *key, double missing) {
  const Json *value = find(request, key);
  if (!value) return missing;
  if (!value->is_number()) throw Failure(std::string("'") + key + "' is not a number");
  return value->get<double>();
}

bool flagOf(const Json &request, const char *key, bool missing) {
  const Json *value = find(request, key);
  if (!value) return missing;
  if (!value->is_boolean()) throw Failure(std::string("'") + key + "' is not true or false");
  return value->get<bool>();
}

}  // namespace rtmc::runner
