#include "child.h"

#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

Child::Child(const char *const *command) {
  int in[2], out[2];
  if (pipe(in) != 0 || pipe(out) != 0) throw std::runtime_error("no pipe");
  process_ = fork();
  if (process_ == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    for (int end : {in[0], in[1], out[0], out[1]}) close(end);
    execv(command[0], const_cast<char *const *>(command));
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  to_ = in[1];
  from_ = out[0];
}

Child::~Child() {
  end();
}

nlohmann::json Child::askText(const std::string &line) {
  const std::string text = line + "\n";
  if (write(to_, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw std::runtime_error("runner gone");
  return nlohmann::json::parse(readLine());
}

std::string Child::readLine() {
  std::string line;
  for (;;) {
    char byte;
    if (read(from_, &byte, 1) != 1) throw std::runtime_error("the runner ended, after: " + line);
    if (byte == '\n') return line;
    line.push_back(byte);
  }
}

int Child::end() {
  if (process_ <= 0) return -1;
  close(to_);
  int status = 0;
  waitpid(process_, &status, 0);
  close(from_);
  process_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
