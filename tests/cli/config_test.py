#!/usr/bin/env python3
"""A command line or a config that is off is refused whole, with the place and the remedy, before anything is touched."""
import json
import os

import command_line
from command_line import CONFIG, NO_INPUT, PERMISSION, USAGE, CommandLineTest


class UsageTest(CommandLineTest):
    def test_names_that_are_nearly_right(self):
        self.assert_fails(self.tidecast("rpelay"), USAGE, 'no verb "rpelay"', "did you mean tidecast replay?")
        self.assert_fails(self.tidecast("replay", "--ordres", "x", "--config", self.config), USAGE, "no flag --ordres", "did you mean --orders?")
        self.assert_fails(self.tidecast("run", self.config, "--until-edn"), USAGE, "tidecast run has no flag --until-edn", "--until-end")
        self.assert_fails(self.tidecast("config", "shwo", self.config), USAGE, 'tidecast config has no verb "shwo"', "did you mean tidecast config show?")
        self.assert_fails(self.tidecast("frobnicate"), USAGE, 'no verb "frobnicate"', "replay")

    def test_what_is_missing_or_off(self):
        self.assert_fails(self.tidecast(), USAGE, "tidecast --help")
        self.assert_fails(self.tidecast("run"), USAGE, "config", "tidecast run --help")
        self.assert_fails(self.tidecast("replay", "--config", self.config), USAGE, "--orders")
        self.assert_fails(self.tidecast("run", self.config, "more"), USAGE, "more")
        self.assert_fails(self.tidecast("run", self.config, "--port", "70000"), USAGE, "--port", "70000")
        self.assert_fails(self.tidecast("replay", "--orders", self.orders, "--config", self.config, "--speed", "fast"), USAGE, "fast", "60x")
        self.assert_fails(self.tidecast("replay", "--orders", self.orders, "--config", self.config, "--model", "lstn"), USAGE, "lstn", "lstm")
        self.assert_fails(self.tidecast("replay", "--orders", self.orders, "--config", self.config, "--until", "soon"), USAGE, "soon", "2011-03-01")
        self.assert_fails(self.tidecast("replay", "--orders", self.orders, "--clicks", self.orders, "--config", self.config), USAGE,
                          "no input for this file: --clicks", "inputs.clicks")
        self.assert_fails(self.tidecast("demo", "--for", "soon"), USAGE, "soon", "60s")
        self.assert_fails(self.tidecast("help", "TC9999"), USAGE, "TC9999")

    def test_what_is_asked_for_is_no_error(self):
        for words in (["--help"], ["replay", "--help"], ["--version"], ["version"], ["help"], ["help", "TC0103"], ["init"]):
            done = self.tidecast(*words)
            self.assertEqual((done.code, done.err), (0, ""), words)
            self.assertTrue(done.out)

    def test_completion_knows_every_verb_and_flag(self):
        for shell in ("bash", "zsh", "fish"):
            done = self.tidecast("completion", shell)
            self.assertEqual(done.code, 0, done.err)
            for word in ("replay", "until-end", "orders", "completion"):
                self.assertIn(word, done.out, shell)
        script = self.write("complete.sh", self.tidecast("completion", "bash").out + """
ask() { COMP_WORDS=(tidecast "$@"); COMP_CWORD=$#; COMPREPLY=(); _tidecast; echo "${COMPREPLY[@]}"; }
ask rep; ask run --unt; ask config sh
""")
        done = command_line.subprocess.run(["bash", script], stdout=command_line.subprocess.PIPE, text=True, check=True)
        self.assertEqual(done.stdout.splitlines(), ["replay", "--until-end", "show"])
        self.assert_fails(self.tidecast("completion", "tcsh"), USAGE, "tcsh")


class ConfigTest(CommandLineTest):
    def assert_refused(self, text, code, *says):
        """By every verb that takes a config; nothing is made."""
        path = self.write("wrong.yaml", text)
        for words in (["run", path], ["check", path], ["replay", "--orders", self.orders, "--config", path, "--out", self.path("out")],
                      ["tap", "alerts", "--config", path], ["config", "show", path]):
            done = self.tidecast(*words)
            self.assertEqual(done.code, CONFIG, done.err)
            for word in (f"error[{code}]", "wrong.yaml:", *says):
                self.assertIn(word, done.err, words)
            self.assertIn("= try: ", done.err)
        self.assertFalse(os.path.exists(self.path("state")))
        self.assertFalse(os.path.exists(self.path("out")))

    def edited(self, old, new):
        with open(self.config) as file:
            text = file.read()
        self.assertIn(old, text)
        return text.replace(old, new, 1)

    def test_kinds_of_trouble_with_place_and_remedy(self):
        self.assert_refused("inputs: [unclosed\n", "TC0101")
        self.assert_refused(self.edited("    horizon: 3", "    horizon: 3\n    horizon: 4"), "TC0102", "horizon", "^")
        self.assert_refused(self.edited("    horizon: 3", "    horzion: 3"), "TC0103", 'did you mean "horizon"?', "horzion: 3", "^")
        self.assert_refused(self.edited("horizon: 3", "horizon: 0"), "TC0105", "horizon", "1 to 1000")
        self.assert_refused(self.edited("allowed_lateness: 1d", "allowed_lateness: 5"), "TC0106", "a duration needs a unit")
        self.assert_refused(self.edited("model: none", "model: lstn"), "TC0107", 'did you mean "lstm"?')
        self.assert_refused(self.edited("sum: quantity", "sum: quantty"), "TC0111", "quantty")
        self.assert_refused(self.edited("zone: UTC}\nviews", "zone: Mars/Olympus}\nviews"), "TC0109", "Mars/Olympus")
        self.assert_refused(self.edited("kind: embedded", "kind: kafka"), "TC0108", "bootstrap.servers")
        self.assert_refused(self.edited("port: 0}", "port: 0, address: 0.0.0.0}").replace("enabled: false", "enabled: true"), "TC0117", "0.0.0.0")

    def test_all_of_it_in_one_run_and_as_json(self):
        path = self.write("wrong.yaml", self.edited("    horizon: 3", "    horzion: 3").replace("allowed_lateness: 1d", "allowed_lateness: 5"))
        done = self.tidecast("config", "show", "--format", "json", path)
        self.assertEqual(done.code, CONFIG)
        problems = json.loads(done.err)
        self.assertEqual([p["code"] for p in (problems["problems"] if isinstance(problems, dict) else problems)], ["TC0106", "TC0103"])
        done = self.tidecast("run", path)
        self.assertIn("2 problems", done.err)

    def test_each_code_is_explained(self):
        done = self.tidecast("help", "TC0106")
        self.assertEqual(done.code, 0)
        self.assertIn("= try: ", done.out)

    def test_a_file_that_is_not_there_or_may_not_be_read(self):
        self.assert_fails(self.tidecast("run", self.path("none.yaml")), NO_INPUT, "no such config file", "none.yaml", "tidecast init")
        self.assert_fails(self.tidecast("run", self.folder), NO_INPUT, "directory", self.folder)
        os.chmod(self.config, 0o600)
        if os.geteuid() == 0:
            self.assert_fails(self.tidecast("check", self.config, nobody=True), PERMISSION, self.config, "readable")
        else:
            os.chmod(self.config, 0)
            self.assert_fails(self.tidecast("check", self.config), PERMISSION, self.config, "readable")

    def test_environment_wins_over_the_file_and_is_checked_as_strictly(self):
        os.environ["TIDECAST__VIEWS__SKU__HORIZON"] = "zero"
        self.addCleanup(os.environ.pop, "TIDECAST__VIEWS__SKU__HORIZON", None)
        done = self.tidecast("run", self.config)
        self.assertEqual(done.code, CONFIG, done.err)
        self.assertIn("TIDECAST__VIEWS__SKU__HORIZON", done.err)


if __name__ == "__main__":
    command_line.main()
