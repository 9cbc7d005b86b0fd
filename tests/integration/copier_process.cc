#include "tests/integration/copier_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "engine/core/check.h"
#include "tests/integration/kafka_world.h"

namespace tidecast::integration {

CopierProcess::CopierProcess(const CopierTask& task) : output_path_(testing::TempDir() + "copier." + UniqueWord()) {
  std::string inputs;
  for (const std::string& input : task.inputs) inputs += (inputs.empty() ? "" : ",") + input;
  std::vector<std::string> words = {
      TIDECAST_KAFKA_COPIER, BrokerAddress(),           task.group, task.instance, inputs, task.output,
      task.changelog,        std::to_string(task.batch)};
  if (!task.die_at.empty()) words.push_back(task.die_at);
  std::vector<char*> raw;
  for (std::string& word : words) raw.push_back(word.data());
  raw.push_back(nullptr);
  const std::string session = std::to_string(task.session_ms);
  pid_ = fork();
  TC_CHECK(pid_ >= 0);
  if (pid_ > 0) return;
  const int file = open(output_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(file, STDOUT_FILENO);
  setenv("TIDECAST_COPIER_SESSION_MS", session.c_str(), 1);
  execv(raw[0], raw.data());
  _exit(127);
}

CopierProcess::~CopierProcess() {
  Signal(SIGKILL);
  Await(10);
  unlink(output_path_.c_str());
}

void CopierProcess::Signal(int signal) {
  if (pid_ > 0) kill(pid_, signal);
}

int CopierProcess::Await(int seconds) {
  if (pid_ <= 0) return 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > end) return -1000;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

std::vector<std::string> CopierProcess::Lines() const {
  std::vector<std::string> lines;
  std::ifstream file(output_path_);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> CopierProcess::Assigned() const {
  std::vector<std::string> assigned;
  for (const std::string& line : Lines()) {
    assigned.clear();
    std::istringstream words(line);
    std::string word;
    if (!(words >> word) || word != "assigned") continue;
    while (words >> word) assigned.push_back(word);
  }
  return assigned;
}

}  // namespace tidecast::integration
