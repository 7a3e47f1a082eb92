"""A thousand certificate swaps under load: nobody notices, nothing is left behind."""
import http.client
import os
import shutil
import signal
import ssl
import subprocess
import threading
import time
from pathlib import Path

from gantry import SANITIZED, SLOWER
from test_tls import PkiCase

SWAPS = int(os.environ.get("GANTRY_TEST_SWAPS", "1000" if not SANITIZED else "150"))


class Swaps(PkiCase):
    @classmethod
    def make(cls):
        cls.pki.ca("root")
        for name in ("one", "two"):
            cls.pki.server(name, "root")

    def descriptors(self, server):
        return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))

    def test_TLS_41_a_thousand_swaps_under_load_fail_no_request_and_leak_nothing(self):
        used = self.pki.folder / "used"
        used.mkdir()

        def put(name):
            # Two names in a folder that is replaced as one, as orchestrators do it: never half a pair.
            fresh = self.pki.folder / f"version-{name}"
            if not fresh.exists():
                fresh.mkdir()
                for suffix in (".pem", ".key"):
                    shutil.copy(self.pki.path(name + suffix), fresh / ("used" + suffix))
            link = used / "now.new"
            link.symlink_to(fresh)
            link.rename(used / "now")
        put("one")
        # Not by the watch, which waits for quiet: by SIGHUP, one after the other.
        server = self.serve("--watch-files", "no", certificate="used/now/used")
        stop, counts, failures, serials = threading.Event(), [0, 0, 0], [], set()

        def keep_asking():  # on a connection that stays
            link = server.connection()
            try:
                while not stop.is_set():
                    assert server.call("GET", "//healthz", connection=link).status == 200
                    counts[0] += 1
                    time.sleep(0.002)
            except (OSError, AssertionError, http.client.HTTPException) as why:
                failures.append(why)
            finally:
                link.close()

        def keep_connecting():  # a handshake for each request
            try:
                while not stop.is_set():
                    link = server.connection()
                    link.connect()
                    serials.add(link.sock.getpeercert()["serialNumber"])
                    assert server.call("GET", "//healthz", connection=link).status == 200
                    link.close()
                    counts[1] += 1
            except (OSError, AssertionError, http.client.HTTPException) as why:
                failures.append(why)

        def keep_asking_over_http2():
            while not stop.is_set():
                done = subprocess.run(["h2load", "-n", "400", "-c", "2", "-m", "10", f"https://localhost:{server.port}/healthz"],
                                      capture_output=True, text=True, timeout=60 * SLOWER)
                if "400 succeeded, 0 failed, 0 errored, 0 timeout" not in done.stdout:
                    failures.append(done.stdout[-1500:])
                    return
                counts[2] += 400
                time.sleep(0.05)

        clients = [threading.Thread(target=keep_asking_over_http2)] + [threading.Thread(target=keep_asking) for _ in range(2)] + [threading.Thread(target=keep_connecting) for _ in range(2)]
        for client in clients:
            client.start()

        def swap(until):  # the kernel merges signals: so it is counted in the log
            for n in range(20 * SWAPS):
                put(("two", "one")[n % 2])
                server.process.send_signal(signal.SIGHUP)
                time.sleep(0.004 * SLOWER)
                if n % 20 == 0 and server.log_text().count("have been loaded anew") >= until:
                    return
            self.fail("the swaps were not made")
        try:
            swap(100)
            self.wait_for(lambda: counts[1] > 100 and counts[2] >= 400, "warm")
            memory, descriptors = server.memory(), self.descriptors(server)
            swap(100 + SWAPS)
        finally:
            stop.set()
            for client in clients:
                client.join()
        self.assertEqual(failures, [])
        self.assertEqual(len(serials), 2, "both certificates have been served")
        self.assertGreater(counts[1], 50)
        self.assertGreaterEqual(counts[2], 400)
        self.wait_for(lambda: self.descriptors(server) <= descriptors, "the descriptors to be given back")
        if not SANITIZED:
            self.assertLess(server.memory() - memory, 8 << 20)
        swaps = server.log_text().count("have been loaded anew")
        print(f"swaps: {swaps}, requests {counts[0]} + {counts[1]} with a handshake each + {counts[2]} over HTTP/2, memory {memory >> 10} -> "
              f"{server.memory() >> 10} KiB, descriptors {descriptors} -> {self.descriptors(server)}", flush=True)
