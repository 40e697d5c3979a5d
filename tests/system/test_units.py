#!/usr/bin/python3
"""What an administrator gets as files: units (how exposed systemd finds them, that it understands
every line), completions in real shells, user, folders, logrotate."""

import os
import pathlib
import re
import shutil
import subprocess
import unittest

import harness

UNITS = harness.SOURCE_ROOT / "systemd"
COMPLETIONS = harness.SOURCE_ROOT / "conf" / "completions"


class Units(harness.Case):
    def analyze(self, *arguments):
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze here")
        return subprocess.run(
            ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60,
            env={**self.environment(), "SYSTEMD_PAGER": "cat"},
        )

    def test_exposure(self):
        """1.5 or lower, of 10."""
        for name in ("trawld.service", "trawld@.service"):
            with self.subTest(unit=name):
                path = self.dir / name.replace("@.", "@one.")
                shutil.copy(UNITS / name, path)
                done = self.analyze("security", "--offline=true", "--threshold=15", str(path))
                print(done.stdout.splitlines()[-1])
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                # an unknown key is passed over: it would only be said
                self.assertEqual(done.stderr, "")

    def test_same_sandbox(self):
        """The instances' unit differs in what an instance has of its own, and in nothing else."""
        own = ("Description", "Condition", "ExecCondition", "ExecStart", "StateDirectory=",
               "LogsDirectory=", "RuntimeDirectory=", "#", "Documentation", "LoadCredential=")

        def lines(name):
            text = (UNITS / name).read_text().replace(" -c /etc/trawld/instances/%i/trawld.conf", "").splitlines()
            return [line for line in text if line and not line.startswith(own)]

        self.assertEqual(lines("trawld.service"), lines("trawld@.service"))
        self.assertGreater(len(lines("trawld.service")), 50)

    def test_journal_takes_all_records(self):
        """journald's default limit drops records; an interval of 0 would not lift it."""
        for name in ("trawld.service", "trawld@.service"):
            with self.subTest(unit=name):
                text = (UNITS / name).read_text()
                self.assertEqual(re.findall(r"^LogRateLimit.*", text, re.M), ["LogRateLimitBurst=100000000"])

    def test_not_restarted(self):
        """What needs a person: usage, a state that cannot be used, the configuration."""
        for name in ("trawld.service", "trawld@.service"):
            text = (UNITS / name).read_text()
            self.assertEqual(re.findall(r"^RestartPreventExitStatus=(.*)", text, re.M), ["64 73 78"], name)

    def test_reload(self):
        """By trawlctl, which fails if the configuration has an error; a signal never would."""
        for name, options in (("trawld.service", ""), ("trawld@.service", "-c /etc/trawld/instances/%i/trawld.conf ")):
            text = (UNITS / name).read_text()
            self.assertEqual(re.findall(r"^ExecReload=(.*)", text, re.M), ["/usr/bin/trawlctl %sreload" % options])

    def test_condition(self):
        """Not started by the example as it is; started by a source."""
        text = (UNITS / "trawld.service").read_text()
        pattern = re.search(r'^ExecCondition=\+/bin/grep (-\S+) "([^"]+)" (\S+) (\S+)$', text, re.M)
        example = harness.SOURCE_ROOT / "conf" / "trawld.conf"
        own = self.dir / "own.conf"
        own.write_text("# mine\n[source acme]\nprovider = cloudscale\n")
        for path, code in ((example, 1), (own, 0)):
            command = ["grep", pattern[1], pattern[2], str(path)]
            self.assertEqual(subprocess.run(command).returncode, code, command)
        self.assertEqual(pathlib.PurePath(pattern[3]).name, "trawld.conf")
        self.assertEqual(pathlib.PurePath(pattern[4]).name, "conf.d")


class Files(harness.Case):
    """User, folders and logrotate's snippet, by the programs that read them."""

    def command(self, *words):
        if not shutil.which(words[0]):
            self.skipTest("no %s here" % words[0])
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=60, env=self.environment()
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout + done.stderr

    @unittest.skipUnless(os.geteuid() == 0, "needs root to give folders away")
    def test_user_and_folders(self):
        root = self.dir / "root"
        (root / "etc").mkdir(parents=True)
        self.command("systemd-sysusers", "--root", str(root), str(UNITS / "trawld.sysusers"))
        user = (root / "etc/passwd").read_text().strip().split(":")
        self.assertEqual((user[0], user[5], user[6]), ("trawld", "/var/lib/trawld", "/usr/sbin/nologin"))
        self.assertLess(int(user[2]), 1000)
        said = self.command(
            "systemd-tmpfiles", "--root", str(root), "--create", str(UNITS / "trawld.tmpfiles")
        )
        self.assertEqual(said, "")
        own = int(user[2]), int(user[3])
        for name, mode, owner in (
            ("var/lib/trawld", 0o700, own),
            ("var/log/trawld", 0o750, own),
            ("etc/trawld/conf.d", 0o755, (0, 0)),
            ("etc/trawld/secrets", 0o700, (0, 0)),
        ):
            status = (root / name).stat()
            self.assertEqual(
                (status.st_mode & 0o7777, (status.st_uid, status.st_gid)), (mode, owner), name
            )

    def test_logrotate(self):
        """That it rotates is shown where it is installed, by the test of the package."""
        # of its own user, not writable for others: else it is passed over
        snippet = self.dir / "snippet"
        snippet.write_text((harness.SOURCE_ROOT / "conf" / "logrotate").read_text())
        snippet.chmod(0o644)
        said = self.command(
            "logrotate", "--debug", "--state", str(self.dir / "status"), str(snippet)
        )
        self.assertNotIn("error", said)
        self.assertIn("/var/log/trawld/*.ndjson", said)
        self.assertIn("(52 rotations)", said)


# An interactive zsh on a terminal of its own: $1 is the folder with the completion, $2 what is typed
# before the tabulator. Every word that the completion offers is printed behind "offer:".
ZSH = r"""
zmodload zsh/zpty
zpty box zsh -f -i
zpty -w box "PS1= PS2=; stty -echo; fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w box 'compadd() {
	local -a offered
	builtin compadd -O offered "$@"
	(( $#offered )) && print -rl -- ${offered/#/offer:}
	builtin compadd "$@"
}
drop-line() { BUFFER= }
zle -N drop-line; bindkey "^G" drop-line; bindkey "^I" complete-word; print R"EADY"'
while zpty -r box line; do [[ $line == *READY* ]] && break; done
zpty -n -w box "$2"$'\t\C-G'
zpty -w box 'print E"ND"'
while zpty -r box line; do
	[[ $line == *END* ]] && break
	print -r -- "$line"
done
zpty -d box
"""


class Completion(harness.Case):
    """What bash and zsh offer where the cursor stands behind the last word."""

    def bash(self, *words):
        done = subprocess.run(
            ["bash", "-c", 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _trawlctl;'
             ' printf "%s\\n" "${COMPREPLY[@]}"',
             "bash", str(COMPLETIONS / "trawlctl.bash"), "trawlctl", *words],
            capture_output=True, text=True, timeout=30,
        )
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def zsh(self, *words):
        if not shutil.which("zsh"):
            self.skipTest("no zsh here")
        done = subprocess.run(
            ["zsh", "-f", "-c", ZSH, "zsh", str(COMPLETIONS), " ".join(("trawlctl", *words))],
            capture_output=True, text=True, errors="replace", timeout=30 * harness.PATIENCE,
            stdin=subprocess.DEVNULL,
            env={**self.environment(), "TERM": "dumb", "ZDOTDIR": str(self.dir)},
        )
        self.assertEqual(done.stderr, "")
        # a group of words may be offered twice, with what it says of them and without
        return sorted(set(re.findall(r"offer:([^\s]+)", done.stdout)))

    def commands(self):
        """[(command, its arguments)] as trawlctl says them."""
        said = self.trawld("--help", program=harness.TRAWLCTL).out.decode()
        said = re.sub(r"\n {4}(?=\S)", " ", said)  # arguments that go on in another line
        return re.findall(r"(?m)^  ([a-z][a-z-]+)( .*)?$", said)

    def compare(self, shell):
        """The same of either shell."""
        self.conf.write_text("[source acme-prod]\n[sink archive]\n")
        (self.dir / "conf.d").mkdir()
        (self.dir / "conf.d" / "more.conf").write_text("[source other]\n")
        conf = ("-c", str(self.conf))
        commands = sorted([command for command, _ in self.commands()] + ["help"])
        offered = [word for word in shell("") if not word.startswith("-")]
        self.assertEqual(offered, commands)
        self.assertEqual(shell("pr"), [command for command in commands if command.startswith("pr")])
        self.assertEqual(shell("status", "--w"), ["--watch"])
        self.assertEqual(sorted(shell("status", "--")), ["--check", "--failing", "--json", "--watch"])
        for command in ("probe", "poll"):
            offered = [word for word in shell(*conf, command, "") if not word.startswith("-")]
            self.assertEqual(offered, ["acme-prod", "other"])
        self.assertEqual(shell(*conf, "cursor", "ac"), ["acme-prod"])
        self.assertEqual(
            sorted(shell(*conf, "rewind", "acme-prod", "--")), ["--dry-run", "--to"]
        )
        self.assertEqual(shell(*conf, "rename", ""), ["acme-prod", "other"])
        self.assertEqual(shell(*conf, "rename-sink", "old", ""), ["archive"])
        self.assertEqual(shell(*conf, "drop-sink", ""), ["archive"])
        self.assertEqual(sorted(shell(*conf, "pause", "")), ["acme-prod", "archive", "other"])
        self.assertIn("earliest", shell("rewind", "other", "--to", ""))
        self.assertEqual(shell("--vers"), ["--version"])

    def test_bash(self):
        self.compare(self.bash)

    def test_zsh(self):
        self.compare(self.zsh)

    def test_commands(self):
        """They know what trawlctl knows."""
        for command, arguments in self.commands():
            options = sorted(set(re.findall(r"--[a-z-]+", arguments)))
            for shell in (self.bash, self.zsh):
                with self.subTest(command=command, shell=shell.__name__):
                    self.assertEqual(sorted(shell(command, "--")), options)


if __name__ == "__main__":
    harness.main()
