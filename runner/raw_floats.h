// Owns the files that are exchanged: raw little-endian float32, or bytes. Refuses to own: shapes beyond a count.
#ifndef RTMC_RUNNER_RAW_FLOATS_H
#define RTMC_RUNNER_RAW_FLOATS_H

#include <cstddef>
#include <string>
#include <vector>

namespace rtmc::runner {

// Exactly `count` floats; a file of another size is a Failure.
std::vector<float> readFloats(const std::string &path, size_t count);
void writeFloats(const std::string &path, const std::vector<float> &values);
void writeBytes(const std::string &path, const void *bytes, size_t count);

}  // namespace rtmc::runner

#endif
