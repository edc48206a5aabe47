// .npz: a zip archive of .npy arrays, stored or deflated. libzip reads the archive; what it holds is checked here.
#include "frontend/npy.h"
#include "frontend/weight_files.h"
#include "support/names.h"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace rtmc::frontend {
namespace {

constexpr uint64_t kMaxDeflateRatio = 1032;              // deflate cannot do better: a larger claim is a lie
constexpr uint64_t kMaxMemberBytes = uint64_t{8} << 30;  // 2^31 floats
constexpr uint64_t kMaxMembers = 1 << 20;

llvm::Error damaged(const std::string &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

struct NpyDtype {
  std::string_view letters;  // without the byte order
  Dtype dtype;
};
constexpr auto kNpyDtypes = std::to_array<NpyDtype>({
    {"f2", Dtype::F16},
    {"f4", Dtype::F32},
    {"f8", Dtype::F64},
    {"b1", Dtype::Bool},
    {"i1", Dtype::I8},
    {"u1", Dtype::U8},
    {"i2", Dtype::I16},
    {"u2", Dtype::U16},
    {"i4", Dtype::I32},
    {"u4", Dtype::U32},
    {"i8", Dtype::I64},
    {"u8", Dtype::U64},
});

struct CloseArchive {
  void operator()(zip_t *archive) const { zip_discard(archive); }
};
struct CloseMember {
  void operator()(zip_file_t *file) const { zip_fclose(file); }
};
using Archive = std::unique_ptr<zip_t, CloseArchive>;
using Member = std::unique_ptr<zip_file_t, CloseMember>;

class NpzFile : public WeightFile {
 public:
  NpzFile(Archive archive, std::shared_ptr<const void> owner)
      : owner_(std::move(owner)), archive_(std::move(archive)) {}

  llvm::Error readDirectory(uint64_t fileBytes) {
    fileBytes_ = fileBytes;
    const auto count = static_cast<uint64_t>(std::max<zip_int64_t>(0, zip_get_num_entries(archive_.get(), 0)));
    if (count > kMaxMembers) return damaged(fmt::format("it has {} members; at most {} are read", count, kMaxMembers));
    std::unordered_set<std::string> seen;
    for (uint64_t i = 0; i < count; ++i) {
      const char *name = zip_get_name(archive_.get(), i, ZIP_FL_ENC_RAW);
      std::string_view text = name ? name : "";
      if (!text.ends_with(".npy")) continue;  // folders, notes
      text.remove_suffix(4);
      if (!seen.emplace(text).second) return damaged(fmt::format("it has the array {} twice", quoted(text)));
      names_.emplace_back(text);
      indices_.push_back(i);
    }
    return llvm::Error::success();
  }

  const std::vector<std::string> &names() const override { return names_; }

  llvm::Expected<TensorInfo> info(size_t index) override {
    auto member = open(index);
    if (!member) return member.takeError();
    auto header = readHeader(*member, index);
    if (!header) return header.takeError();
    TensorInfo info;
    info.dtypeName = header->descr;
    info.shape = header->shape;
    info.fortranOrder = header->fortranOrder;
    info.dtype = toDtype(header->descr);
    if (info.dtype == Dtype::Other) return info;  // the reader says what is wrong with it
    uint64_t bytes = bytesOf(info.dtype);
    bool overflow = false;
    for (const uint64_t dimension : info.shape) overflow |= __builtin_mul_overflow(bytes, dimension, &bytes);
    overflow |= __builtin_add_overflow(bytes, header->dataOffset, &bytes);
    if (overflow || bytes != member->size)
      return wrong(index, overflow ? "its shape overflows"
                                   : fmt::format("it has {} bytes; its header needs {}", member->size, bytes));
    return info;
  }

  llvm::Expected<TensorBytes> read(size_t index) override {
    auto member = open(index);
    if (!member) return member.takeError();
    auto header = readHeader(*member, index);
    if (!header) return header.takeError();
    auto data = std::make_shared<std::vector<uint8_t>>(member->size - header->dataOffset);
    if (llvm::Error error = readExactly(*member, *data, index)) return error;
    uint8_t extra = 0;  // the end of the member, where libzip compares the checksum
    if (zip_fread(member->file.get(), &extra, 1) != 0) return wrong(index, readError(*member));
    return TensorBytes{*data, data};
  }

 private:
  struct OpenMember {
    Member file;
    uint64_t size = 0;
  };

  static Dtype toDtype(std::string_view descr) {
    if (descr.size() != 3) return Dtype::Other;
    for (const NpyDtype &known : kNpyDtypes)
      if (descr.substr(1) == known.letters && (descr[0] == '<' || descr[0] == '=' || descr[0] == '|') &&
          (descr[0] != '|' || bytesOf(known.dtype) == 1))
        return known.dtype;
    return Dtype::Other;
  }

  llvm::Error wrong(size_t index, std::string_view what) const {
    return damaged(fmt::format("array {}: {}", quoted(names_[index]), what));
  }

  static std::string readError(const OpenMember &member) {
    const char *text = zip_file_strerror(member.file.get());
    return fmt::format("it cannot be unpacked: {}", lowerFirst(printable(text ? text : "it is cut off")));
  }

  llvm::Expected<OpenMember> open(size_t index) {
    zip_stat_t stat;
    if (zip_stat_index(archive_.get(), indices_[index], 0, &stat) != 0)
      return wrong(index, lowerFirst(printable(zip_strerror(archive_.get()))));
    constexpr auto kNeeded = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if ((stat.valid & kNeeded) != kNeeded) return wrong(index, "its size is not known");
    if (stat.encryption_method != ZIP_EM_NONE) return wrong(index, "it is encrypted");
    const bool stored = stat.comp_method == ZIP_CM_STORE;
    if (!stored && stat.comp_method != ZIP_CM_DEFLATE)
      return wrong(index, fmt::format("it is packed with method {}; stored or deflated is needed", stat.comp_method));
    if (stat.size > kMaxMemberBytes)
      return wrong(index, fmt::format("it has {} bytes; at most {} are read", stat.size, kMaxMemberBytes));
    if (stat.comp_size > fileBytes_ ||
        (stored ? stat.size != stat.comp_size : stat.size / kMaxDeflateRatio > stat.comp_size))
      return wrong(index, "its sizes cannot be right");
    OpenMember member;
    member.file.reset(zip_fopen_index(archive_.get(), indices_[index], 0));
    member.size = stat.size;
    if (!member.file) return wrong(index, lowerFirst(printable(zip_strerror(archive_.get()))));
    return member;
  }

  llvm::Error readExactly(OpenMember &member, std::span<uint8_t> out, size_t index) {
    while (!out.empty()) {
      const zip_int64_t n = zip_fread(member.file.get(), out.data(), out.size());
      if (n <= 0) return wrong(index, n == 0 ? "it is cut off" : readError(member));
      out = out.subspan(static_cast<size_t>(n));
    }
    return llvm::Error::success();
  }

  llvm::Expected<NpyHeader> readHeader(OpenMember &member, size_t index) {
    if (member.size < kNpyPrefix) return wrong(index, "it is too short for a .npy array");
    std::vector<uint8_t> bytes(kNpyPrefix);
    if (llvm::Error error = readExactly(member, bytes, index)) return error;
    auto offset = npyDataOffset(bytes);
    if (!offset) return wrong(index, llvm::toString(offset.takeError()));
    if (*offset > member.size) return wrong(index, "its .npy header is cut off");
    bytes.resize(*offset);
    if (llvm::Error error = readExactly(member, std::span(bytes).subspan(kNpyPrefix), index)) return error;
    auto header = parseNpyHeader(bytes);
    if (!header) return wrong(index, llvm::toString(header.takeError()));
    return header;
  }

  std::shared_ptr<const void> owner_;  // outlives the archive, which reads from its bytes
  Archive archive_;
  uint64_t fileBytes_ = 0;
  std::vector<std::string> names_;
  std::vector<zip_uint64_t> indices_;
};

}  // namespace

llvm::Expected<std::unique_ptr<WeightFile>> openNpz(std::span<const uint8_t> file, std::shared_ptr<const void> owner) {
  if (file.empty()) return damaged("it is empty");  // to libzip, an archive without members
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *source = zip_source_buffer_create(file.data(), file.size(), 0, &error);
  Archive archive(source ? zip_open_from_source(source, ZIP_RDONLY, &error) : nullptr);
  if (!archive) {
    std::string message = lowerFirst(printable(zip_error_strerror(&error)));
    if (source) zip_source_free(source);
    zip_error_fini(&error);
    return damaged(message);
  }
  zip_error_fini(&error);
  auto npz = std::make_unique<NpzFile>(std::move(archive), std::move(owner));
  if (llvm::Error e = npz->readDirectory(file.size())) return e;
  return npz;
}

}  // namespace rtmc::frontend
