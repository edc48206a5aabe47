// A runner as a child process: requests in, replies out.
#ifndef RTMC_TESTS_RUNNER_CHILD_H
#define RTMC_TESTS_RUNNER_CHILD_H

#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <string>

class Child {
 public:
  explicit Child(const char *const *command);
  ~Child();
  Child(const Child &) = delete;
  Child &operator=(const Child &) = delete;

  nlohmann::json ask(const nlohmann::json &request) { return askText(request.dump()); }
  // A reply that is not one line of JSON throws.
  nlohmann::json askText(const std::string &line);
  // Closes its stdin and waits; the exit status, or -1.
  int end();

 private:
  std::string readLine();

  pid_t process_ = -1;
  int to_ = -1, from_ = -1;
};

#endif
