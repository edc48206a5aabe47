// Runs a fuzz target over the files of folders: the build without libFuzzer.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv) {
  size_t files = 0;
  for (int i = 1; i < argc; ++i)
    for (const auto &entry : std::filesystem::directory_iterator(argv[i])) {
      std::ifstream stream(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
      // Every prefix of a seed as well: most mistakes in a parser are reads past the end.
      for (size_t size = 0; size <= bytes.size(); size += 1 + bytes.size() / 512) {
        const std::string exact(bytes, 0, size);
        LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(exact.data()), exact.size());
      }
      LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
      ++files;
    }
  std::printf("%zu files\n", files);
  return files == 0;  // an empty corpus tests nothing
}
