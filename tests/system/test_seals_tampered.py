#!/usr/bin/python3
"""The table of test_seals, of files that were rotated and compressed while trawld was killed."""

import harness
import test_seals
import test_seals_kill


class Tampered(test_seals_kill.Killing, test_seals.Tamper):
    test_rewritten_with_the_key = test_rewritten_without_the_key = None  # nothing of these files is left then

    def write_archive(self):
        simulator = self.cloudscale(5000, "--page-size", "100")
        self.sealed(simulator.url, "max_size = 128KiB\ncompress = gzip", seal="1s")
        self.kill_often(simulator, 35, 3600)
        # what two more seals hold is in the newest file
        for self.RECORDS in range(3620, 5000, 20):
            simulator.control(visible=self.RECORDS)
            self.once()
            last = [self.bytes_of([line]) for line in self.seal_lines()[-2:]]
            if self.RECORDS >= 3660 and min(last) > 0 and sum(last) <= self.size(self.out):
                break


if __name__ == "__main__":
    harness.main()
