# troupe_library(<folder> SOURCES a.cpp ... DEPENDS target ...)
#   One static library troupe::<folder>; headers are included from the root.
# troupe_test(<name> SOURCES a_test.cpp ... DEPENDS target ... [LABELS l ...])
#   One Boost.Test program and one ctest entry of the same name.
# troupe_fuzzer(<name> SOURCES a.cpp DEPENDS target ...)
#   A libFuzzer program when TROUPE_FUZZ is on, otherwise a program that runs
#   the same entry point over the seed corpus as an ordinary test.

add_library(troupe_options INTERFACE)
target_include_directories(troupe_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(troupe_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wold-style-cast
  -Wcast-qual -Wunused -Woverloaded-virtual -Wnull-dereference)
target_compile_definitions(troupe_options INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION
  BOOST_BEAST_SEPARATE_COMPILATION
  TROUPE_VERSION="${PROJECT_VERSION}")
option(TROUPE_WERROR "Warnings are errors" OFF)
if(TROUPE_WERROR)
  target_compile_options(troupe_options INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these falsely inside the standard library and Boost.
  target_compile_options(troupe_options INTERFACE
    -Wno-null-dereference -Wno-restrict -Wno-maybe-uninitialized)
endif()

function(troupe_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(troupe_${name} STATIC ${ARG_SOURCES})
  add_library(troupe::${name} ALIAS troupe_${name})
  target_link_libraries(troupe_${name} PUBLIC troupe_options ${ARG_DEPENDS})
endfunction()

function(troupe_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPENDS;LABELS" ${ARGN})
  add_executable(${name}_test ${ARG_SOURCES})
  target_compile_definitions(${name}_test PRIVATE
    BOOST_TEST_DYN_LINK BOOST_TEST_MODULE=${name}
    TROUPE_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    TROUPE_BINARY_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  target_link_libraries(${name}_test PRIVATE
    ${ARG_DEPENDS} Boost::headers boost_unit_test_framework)
  add_test(NAME ${name} COMMAND ${name}_test --color_output=no)
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT})
  if(ARG_LABELS)
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
  endif()
endfunction()

function(troupe_fuzzer name)
  cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;DEPENDS;LABELS" ${ARGN})
  if(TROUPE_FUZZ)
    add_executable(${name} ${ARG_SOURCES})
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${name} ${ARG_SOURCES}
      ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cpp)
    add_test(NAME ${name} COMMAND ${name} ${ARG_CORPUS})
    set_tests_properties(${name} PROPERTIES LABELS "fuzz;${ARG_LABELS}")
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS})
endfunction()
