#!/usr/bin/env python3
"""The test of includes.py: it accepts a good tree and names each bad line."""

import pathlib
import tempfile
import unittest

import includes


class Includes(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def problems(self, **files):
        for name, text in files.items():
            path = self.root / name.replace("__", "/")
            path = path.with_name(path.name + ".hpp")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return includes.problems(self.root)

    def test_accepts_a_folder_itself_and_those_below(self):
        self.assertEqual([], self.problems(
            protocol__types='#pragma once\n#include <vector>\n',
            net__reactor='#include "net/socket.hpp"\n'
                         '#include "protocol/types.hpp"\n',
            server__main='#include "config/load.hpp"\n'
                         '#include "actors/session.hpp"\n'))

    def test_refuses_a_folder_above_and_names_file_and_line(self):
        self.assertEqual(
            ['net/deep/a.hpp:2: "actors/session.hpp" reaches upwards, '
             'from net/ to actors/'],
            self.problems(
                net__deep__a='#include <boost/asio.hpp>\n'
                             '  #  include "actors/session.hpp" // why not\n'))

    def test_refuses_config_outside_server(self):
        wrong = self.problems(actors__a='#include "config/sections.hpp"\n',
                              config__a='#include "config/values.hpp"\n')
        self.assertEqual(1, len(wrong))
        self.assertIn("actors/a.hpp:1", wrong[0])
        self.assertIn("for server/ alone", wrong[0])

    def test_refuses_tests_and_unknown_folders(self):
        wrong = self.problems(
            protocol__a='#include "tests/support/bytes.hpp"\n',
            server__a='#include "misc/util.hpp"\n')
        self.assertEqual(2, len(wrong))

    def test_refuses_paths_that_are_not_from_the_root(self):
        wrong = self.problems(protocol__a='#include "types.hpp"\n'
                                          '#include "../net/reactor.hpp"\n')
        self.assertEqual(2, len(wrong))


if __name__ == "__main__":
    unittest.main()
