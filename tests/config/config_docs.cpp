// Prints docs/configuration.md.
#include "config/load.hpp"

#include <iostream>

int main() { std::cout << troupe::config::describe_markdown(); }
