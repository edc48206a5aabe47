#include "driver/npy.h"

#include "support/files.h"

#include <doctest/doctest.h>

#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace rtmc;
using driver::readNpy;
using driver::Sequence;
using driver::writeNpy;

namespace {

struct TempFile {
  TempFile() {
    const int fd = ::mkstemp(path);
    REQUIRE(fd >= 0);
    ::close(fd);
  }
  ~TempFile() { std::remove(path); }
  char path[32] = "/tmp/rtmc-npy-XXXXXX";
};

/// Writes, reads with `width`; the message where it was refused.
std::string read(const std::string &bytes, uint32_t width, Sequence *out = nullptr) {
  TempFile file;
  REQUIRE_FALSE(static_cast<bool>(writeFilesAtomically({{file.path, bytes}})));
  Diagnostics diagnostics;
  bool environment = false;
  const auto sequence = readNpy(file.path, width, diagnostics, environment);
  CHECK_FALSE(environment);
  if (!sequence) {
    REQUIRE(diagnostics.all().size() == 1);
    CHECK(diagnostics.all()[0].kind == "input-array");
    return diagnostics.all()[0].message;
  }
  if (out) *out = *sequence;
  return "";
}

}  // namespace

TEST_CASE("what is written is read back, and values are aligned") {
  for (uint32_t width : {1u, 3u, 1000u}) {
    Sequence sequence{7, width, std::vector<float>(size_t{7} * width)};
    for (size_t i = 0; i < sequence.values.size(); ++i) sequence.values[i] = static_cast<float>(i) / 8 - 3;
    const std::string bytes = writeNpy(sequence);
    CHECK((bytes.size() - sequence.values.size() * 4) % 64 == 0);
    Sequence back;
    CHECK(read(bytes, width, &back) == "");
    CHECK(back.steps == 7);
    CHECK(back.values == sequence.values);
  }
}

TEST_CASE("every prefix of a file is refused, none is read past its end") {
  const std::string bytes = writeNpy({2, 2, {1, 2, 3, 4}});
  for (size_t length = 0; length < bytes.size(); ++length) CHECK(read(bytes.substr(0, length), 2) != "");
}

TEST_CASE("headers as other writers make them") {
  const auto with = [](const std::string &dictionary, const std::string &values) {
    std::string header = dictionary + "\n";
    std::string bytes("\x93NUMPY\x01\x00", 8);
    bytes += static_cast<char>(header.size());
    bytes += '\0';
    return bytes + header + values;
  };
  const std::string four(16, '\0');
  CHECK(read(with("{\"shape\": (2,2), \"fortran_order\":False,\"descr\":\"<f4\"}", four), 2) == "");
  CHECK(read(with("{'descr':'<f4','fortran_order':True,'shape':(1,4)}", four), 4) == "");
  CHECK(read(with("{'descr':'<f4','fortran_order':False,'shape':(2,2),'shape':(2,2)}", four), 2) ==
        "the header has 'shape' twice");
  CHECK(read(with("{'descr':'<f4','shape':(2,2)}", four), 2) == "the header lacks 'descr', 'fortran_order' or 'shape'");
  CHECK(read(with("{'descr':'<f4','fortran_order':False,'shape':(-2,2)}", four), 2) != "");
  CHECK(read(with("{'descr':'<f4','fortran_order':False,'shape':(2,2),'x':1}", four), 2) ==
        "the header has an unknown key 'x'");
  CHECK(read(with("{'descr':'<f4','fortran_order':False,'shape':(2 2)}", four), 2) != "");
}
