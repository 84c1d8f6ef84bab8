/* A small command line: `--name VALUE…`, every name known in advance. */
#pragma once

#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

/// Says what is wrong with the command line and ends the process with status 2.
[[noreturn]] inline void refuse(const std::string& why, const char* usage) {
  std::fprintf(stderr, "%s\n\n%s", why.c_str(), usage);
  std::exit(2);
}

/// What was given, by name.
class Args {
 public:
  /// Reads the arguments. Prints `usage` and ends the process for `--help`; refuses those that are not in `known`.
  Args(int argc, char** argv, const char* usage, std::initializer_list<const char*> known) : usage_(usage) {
    for (int i = 1; i < argc; i++) {
      const std::string arg = argv[i];
      if (arg != "--help" && arg != "-h") continue;
      std::fputs(usage, stdout);
      std::exit(0);
    }
    for (const char* name : known) values_[name];
    std::vector<std::string>* current = nullptr;
    std::map<std::string, bool> seen;
    for (int i = 1; i < argc; i++) {
      const std::string arg = argv[i];
      if (arg.rfind("--", 0) == 0) {
        const auto found = values_.find(arg.substr(2));
        if (found == values_.end()) refuse("unknown argument " + arg, usage);
        seen[found->first] = true;
        current = &found->second;
      } else if (current != nullptr) {
        current->push_back(arg);
      } else {
        refuse("unknown argument " + arg, usage);
      }
    }
    for (const auto& [name, _] : seen) {
      if (values_[name].empty()) refuse("--" + name + " needs a value", usage);
    }
  }

  /// All values of a name.
  const std::vector<std::string>& all(const std::string& name) const { return values_.at(name); }

  /// The value of a name that may be given once; `unset` without.
  std::string one(const std::string& name, const std::string& unset = {}) const {
    const auto& values = all(name);
    if (values.size() > 1) refuse("--" + name + " is given once, but " + values[1] + " follows", usage_);
    return values.empty() ? unset : values[0];
  }

  /// The number of a name that may be given once.
  double number(const std::string& name, double unset) const {
    const auto text = one(name);
    if (text.empty()) return unset;
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (*end != '\0' || value < 0) refuse("--" + name + " " + text + ": expected a number", usage_);
    return value;
  }

 private:
  const char* usage_;
  std::map<std::string, std::vector<std::string>> values_;
};
