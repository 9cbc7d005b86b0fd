#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

namespace tidecast::testing {

/// A file system with a limit on what may still be written: the write that crosses it is cut short, as a real disk
/// does, and ends with "no space".  Thread: safe.
class FullDisk final : public rocksdb::FileSystemWrapper {
 public:
  FullDisk() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  static const char* kClassName() { return "FullDisk"; }
  const char* Name() const override { return kClassName(); }

  void SetBytesLeft(int64_t bytes) { left_ = bytes; }
  void FreeSpace() { left_ = INT64_MAX; }
  int refusals() const { return refusals_; }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    std::unique_ptr<rocksdb::FSWritableFile> inner;
    rocksdb::IOStatus status = target()->NewWritableFile(name, options, &inner, debug);
    if (status.ok()) *file = std::make_unique<File>(std::move(inner), *this);
    return status;
  }
  rocksdb::IOStatus ReuseWritableFile(const std::string& name, const std::string& old_name,
                                      const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* file,
                                      rocksdb::IODebugContext* debug) override {
    std::unique_ptr<rocksdb::FSWritableFile> inner;
    rocksdb::IOStatus status = target()->ReuseWritableFile(name, old_name, options, &inner, debug);
    if (status.ok()) *file = std::make_unique<File>(std::move(inner), *this);
    return status;
  }

 private:
  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSWritableFile> inner, FullDisk& disk)
        : FSWritableFileOwnerWrapper(std::move(inner)), disk_(disk) {}
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
      const int64_t left = disk_.left_.load();
      const auto size = static_cast<int64_t>(data.size());
      if (size <= left) {
        if (left != INT64_MAX) disk_.left_ = left - size;
        return FSWritableFileOwnerWrapper::Append(data, options, debug);
      }
      disk_.left_ = 0;
      ++disk_.refusals_;
      if (left > 0) {
        rocksdb::IOStatus part =
            FSWritableFileOwnerWrapper::Append({data.data(), static_cast<size_t>(left)}, options, debug);
        if (!part.ok()) return part;
      }
      return rocksdb::IOStatus::NoSpace("the test's disk is full");
    }
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             const rocksdb::DataVerificationInfo&, rocksdb::IODebugContext* debug) override {
      return Append(data, options, debug);
    }

   private:
    FullDisk& disk_;
  };

  std::atomic<int64_t> left_ = INT64_MAX;
  std::atomic<int> refusals_ = 0;
};

}  // namespace tidecast::testing
