"""What one caller of an API is refused, is told to wait, or uses up concerns no other caller."""

import json

import harness
from harness import wait_until


class Credentials(harness.Case):
    def begin(self, *sources):
        self.write(*sources)
        self.running = self.daemon()
        wait_until(
            lambda: all(self.sim.stats()["answered"].get(user) for user in "ab"), "both to poll"
        )

    def write(self, *sources):
        self.control_path = self.dir / "control.sock"
        self.configure(*sources, self.file_sink(), control=self.control_path)

    def tenant(self, user, *, name=None, login=True, more=""):
        """A source; with LOGIN its user stands in [login] alone."""
        auth = (
            "auth.type = login\nlogin.method = POST\nlogin.url = %s/login\n"
            'login.body = {"user": "%s", "password": "p-%s"}\n'
            "login.token = /token\nlogin.expires = /life\n" % (self.sim.url, user, user)
            if login
            else "auth.type = bearer\nauth.token = T-%s\n" % user
        )
        return (
            "[source %s]\nprovider = custom\nrequest.url = %s/logs?tenant=%s\n"
            "request.query.from = ${window.start}\nrecords.at = /list\nrecords.id = /id\n"
            "resume.window = yes\ninterval = 10ms\nretry_max = 20ms\n%s%s\n"
            % (name or user, self.sim.url, user if login else "", auth, more)
        )

    def sources(self):
        status = json.loads(self.ctl("status", "--json").text)
        return {source["name"]: source for source in status["sources"]}

    def polled_on(self, user, count=20):
        """The tenant is polled COUNT times more from here on."""
        wanted = self.sim.stats()["answered"].get(user, 0) + count
        wait_until(
            lambda: self.sim.stats()["answered"].get(user, 0) >= wanted, user + " to be polled"
        )

    def test_refused_login(self):
        self.sim = self.simulator("--control", '{"life": 2}', name="tenants")
        self.begin(self.tenant("a"), self.tenant("b"))
        self.sim.control(refused=["b"])
        self.running.wait_log("wrong password")
        self.polled_on("a")
        logins = self.sim.stats()["logins"]["a"]
        wait_until(lambda: self.sim.stats()["logins"]["a"] > logins, "a to log in again")
        self.polled_on("a")
        self.assertEqual(self.sources()["b"]["state"], "auth")
        self.assertIsNone(self.sources()["a"]["last_error"])

    def test_refused_token(self):
        self.sim = self.simulator(name="tenants")
        self.begin(self.tenant("a", login=False), self.tenant("b", login=False))
        self.sim.control(refused=["b"])
        self.running.wait_log("401")
        self.polled_on("a")

    def test_held(self):
        """Retry-After."""
        self.sim = self.simulator(name="tenants")
        self.begin(self.tenant("a"), self.tenant("b"))
        self.sim.control(held={"b": 3000})
        self.running.wait_log("slow down")
        self.polled_on("a")


if __name__ == "__main__":
    harness.main()
