#!/usr/bin/python3
"""A follower as vendors publish them: asks page after page, writes JSON lines. No state, no
retries, no flush to disk; the yardstick of script/bench.

usage: follow.py URL TOKEN FILE"""

import asyncio
import json
import sys

import aiohttp


async def follow(url, token, path):
    headers = {"Authorization": "Bearer " + token}
    async with aiohttp.ClientSession(headers=headers) as session:
        with open(path, "w") as file:
            while url:
                async with session.get(url) as response:
                    response.raise_for_status()
                    page = await response.json()
                for record in page["results"]:
                    file.write(json.dumps(record) + "\n")
                url = page["next"]


if __name__ == "__main__":
    asyncio.run(follow(*sys.argv[1:4]))
