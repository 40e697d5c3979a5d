#!/usr/bin/python3
"""Simulator of an API behind which many tenants stand: one origin, each tenant with a login.

POST /login {"user": U, "password": P} answers {"token": "T-U", "life": SECONDS}; GET /logs?tenant=U
with that token in X-Auth-Token, or without a login in `Authorization: Bearer T-U`, answers an empty
list. The tenants differ in nothing but these values.

POST /_sim/control: "refused": [U, ...], their login and their token are answered 401; "held":
{U: SECONDS}, their polls are answered 429 with that Retry-After; "ahead": {U: SECONDS}, their
answers' Date is of another clock; "life": SECONDS of tokens from now on.
GET /_sim/stats adds "polls", "logins", "answered" (polls answered 200): {U: N}.
"""

import collections

import simlib

SETTINGS = ("refused", "held", "ahead", "life")


class Tenants(simlib.Simulator):
    def start(self, options):
        self.refused = []
        self.held = {}
        self.ahead = {}
        self.life = 3600
        self.polls = collections.Counter()
        self.answered = collections.Counter()
        self.logins = collections.Counter()

    def control(self, settings):
        for name in SETTINGS:
            setattr(self, name, settings.pop(name, getattr(self, name)))

    def stats(self):
        return {"polls": self.polls, "logins": self.logins, "answered": self.answered}

    def answer(self, request):
        if request.path == "/login":
            return self.login(request.json()["user"])
        token = request.headers.get("x-auth-token") or request.bearer() or ""
        user = token.removeprefix("T-")
        self.polls[user] += 1
        if user in self.refused:
            raise simlib.Refuse(401, {"error": "token refused"})
        headers = {"Date": simlib.http_date(self.now() + self.ahead.get(user, 0))}
        if user in self.held:
            raise simlib.Refuse(
                429, {"error": "slow down"}, {**headers, "Retry-After": str(self.held[user])}
            )
        self.answered[user] += 1
        return simlib.answer_json({"list": []}, headers=headers)

    def login(self, user):
        self.logins[user] += 1
        if user in self.refused:
            raise simlib.Refuse(401, {"error": "wrong password"})
        return simlib.answer_json({"token": "T-" + user, "life": self.life})


if __name__ == "__main__":
    simlib.main(Tenants)
