"""The real server while the disk fails, descriptors or memory run out, and when it is killed under load: nothing
acknowledged is lost, nothing is half there, and it goes on once it can.

GANTRY_KILLS says how often it is killed (the default is small; 200 by hand)."""
import mmap
import os
import random
import resource
import shutil
import struct
import subprocess
import tempfile
import threading
import time
import unittest
from http.client import HTTPException
from pathlib import Path

from gantry import BINARY, JSON, SANITIZED, SLOWER, Server, make_dicom, path_of, uids_of

LIBRARY = Path(BINARY).parent / "libfailing_calls.so"
NOTHING, EIO, ENOSPC, EMFILE, SHORT, DIE, EROFS = range(7)  # tests/faults/failing_calls.h
DICOM = {"Accept": "application/dicom"}


class FailingCalls:
    """struct failing_state, shared with the server."""

    def __init__(self, folder):
        self.path = folder / "failing"
        self.path.write_bytes(bytes(mmap.PAGESIZE))
        with open(self.path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), mmap.PAGESIZE)

    def put(self, *numbers):
        self.map[:24] = struct.pack("6I", *numbers)

    def arm(self, how, n=1, from_then_on=False):
        self.put(0, how, n, 0, from_then_on, 1)
        self.put(1, how, n, 0, from_then_on, 1)

    def disarm(self):
        armed, how, n, calls, then_on, only = struct.unpack("6I", self.map[:24])
        self.put(0, how, n, calls, then_on, only)
        return calls

    def which(self):
        return bytes(self.map[24:56]).split(b"\0")[0].decode()


def verdicts(answer):
    """SOP Instance UID: None when stored, else the failure reason; of an answer to a POST."""
    if not answer.body or "json" not in (answer.headers["Content-Type"] or ""):
        return {}
    told = answer.json()
    if "00081199" not in told and "00081198" not in told:
        return {}
    found = {}
    for item in told.get("00081199", {}).get("Value", []):
        found[item["00081155"]["Value"][0]] = None
    for item in told.get("00081198", {}).get("Value", []):
        found[item["00081155"]["Value"][0]] = item["00081197"]["Value"][0]
    return found


def check(data):
    done = subprocess.run([BINARY, "check", "--data", data], capture_output=True, text=True, timeout=60 * SLOWER)
    return done.returncode, done.stdout + done.stderr


class Faults(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="gantry-test-"))
        self.data = self.folder / "data"

    def tearDown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, *arguments, environment=None):
        server = Server("--free-space-floor", "0", *arguments, data=self.data, environment=environment)
        self.addCleanup(lambda: server.process and server.stop())
        return server

    def assertStored(self, server, file, context=""):
        answer = server.get(path_of(file), DICOM)
        self.assertEqual(answer.status, 200, f"{context}: {answer!r}")
        self.assertEqual(answer.body, file, context)

    def assertSound(self):
        status, told = check(self.data)
        self.assertEqual(status, 0, told)


@unittest.skipIf(SANITIZED, "a sanitizer's runtime has to be the first library")
class FailingDisk(Faults):
    def start_failing(self):
        self.calls = FailingCalls(self.folder)
        library = Path(self.folder, "preload.so")  # LD_PRELOAD ends a path at a space, as a clone's may have
        if not library.exists():
            library.symlink_to(LIBRARY)
        return self.start(environment={"LD_PRELOAD": str(library), "FAILING_CALLS_FILE": str(self.calls.path)})

    def assertNotReady(self, server):
        deadline = time.monotonic() + 10 * SLOWER  # what was committed a moment ago counts as a proof
        while server.get("//readyz").status != 503:
            self.assertLess(time.monotonic(), deadline, "still ready")
            time.sleep(0.1)

    def settle(self, server):
        """What was stored before is settled behind its answer: those calls are not to be the ones that fail. Drafts of a folder whose sync
        has failed stay, which the log tells."""
        now = began = time.monotonic()
        while any(Path(self.data, "drafts").iterdir()) and now - began < (0.3 if "keeps its drafts" in server.log_text() else 20):
            time.sleep(0.01)
            now = time.monotonic()

    def test_whichever_call_fails_each_instance_is_as_its_verdict_says(self):
        server = self.start_failing()
        old = make_dicom()
        self.assertEqual(server.store([old]).status, 200)
        for how in (EIO, ENOSPC, EMFILE):
            n, calls, refused = 0, 1, 0
            while n < calls and n < 200:
                n += 1
                files = [make_dicom() for _ in range(3)]
                self.settle(server)
                self.calls.arm(how, n)
                answer = server.store(files)
                calls = self.calls.disarm()
                context = f"how {how}, call {n} of {calls} ({self.calls.which()}): {answer!r}"
                self.assertIn(answer.status, (200, 202, 409, 500, 503), context)
                told = verdicts(answer)
                for file in files:
                    uid = uids_of(file)[2]
                    if uid in told and told[uid] is None:
                        self.assertStored(server, file, context)
                    else:
                        self.assertEqual(server.get(path_of(file), DICOM).status, 404, context)
                        refused += 1
                if n > calls:
                    self.assertEqual(answer.status, 200, context)
            self.assertGreater(refused, 3, f"how {how}")
            self.assertGreater(n, 2)
        self.assertStored(server, old)
        server.stop()
        self.assertSound()

    def test_a_disk_that_takes_nothing_is_told_reading_goes_on_and_so_does_storing_once_it_can(self):
        server = self.start_failing()
        old = make_dicom()
        self.assertEqual(server.store([old]).status, 200)
        for how, statuses in ((ENOSPC, (503,)), (EROFS, (409, 500, 503)), (EIO, (409, 500, 503))):
            files = [make_dicom() for _ in range(2)]
            self.calls.arm(how, 1, from_then_on=True)
            answer = server.store(files)
            self.assertIn(answer.status, statuses, f"{how}: {answer!r}")
            if how == ENOSPC:
                self.assertIn("Retry-After", answer.headers)
            for reason in verdicts(answer).values():
                self.assertEqual(reason, 0xA700)
            self.assertNotReady(server)
            if how != EIO:
                self.assertStored(server, old)
                self.assertEqual(server.get("/studies", JSON).status, 200)
            self.assertGreater(self.calls.disarm(), 0)
            for file in files:
                self.assertEqual(server.get(path_of(file), DICOM).status, 404)
            self.assertEqual(server.store(files).status, 200, "once it can")
            for file in files:
                self.assertStored(server, file)
        server.stop()
        self.assertSound()


class ScarceThings(Faults):
    def test_without_descriptors_it_says_busy_and_goes_on(self):
        server = self.start()
        link = server.connection()
        self.assertEqual(server.store([make_dicom()], connection=link).status, 200)
        limits = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        open_now = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (open_now, limits[1]))
        file = make_dicom()
        answer = server.store([file], connection=link)
        self.assertEqual(answer.status, 503, repr(answer))
        self.assertIn("Retry-After", answer.headers)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, limits)
        self.assertEqual(server.store([file], connection=link).status, 200)
        link.close()
        self.assertStored(server, file)

    def test_below_the_floor_of_free_space_nothing_is_taken_and_all_is_served(self):
        server = self.start()
        old = make_dicom()
        self.assertEqual(server.store([old]).status, 200)
        server.stop()
        server = Server("--free-space-floor", str(1 << 40), data=self.data)
        self.addCleanup(server.stop)
        answer = server.store([make_dicom()])
        self.assertEqual(answer.status, 503, repr(answer))
        self.assertIn("Retry-After", answer.headers)
        self.assertEqual(list(verdicts(answer).values()) or [0xA700], [0xA700])
        self.assertStored(server, old)
        self.assertEqual(server.call("DELETE", path_of(old)).status, 204, "room can be made")

    @unittest.skipIf(SANITIZED, "a sanitizer reserves more addresses than any limit")
    def test_with_little_memory_nothing_acknowledged_is_lost(self):
        server = self.start()
        size = server.memory("VmSize")
        resource.prlimit(server.process.pid, resource.RLIMIT_AS, (size + (24 << 20),) * 2)
        stored, lock = [], threading.Lock()

        def send(number):
            for n in range(3):
                file = make_dicom(rows=512, columns=512, frames=4 + number % 3)
                try:
                    if server.store([file]).status == 200:
                        with lock:
                            stored.append(file)
                except (OSError, HTTPException):
                    return
        threads = [threading.Thread(target=send, args=(n,)) for n in range(16)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        if server.process.poll() is not None:  # it may stop; then it says why
            self.assertRegex(server.log_text(), r"(?i)memory|thread|abort|recover|.")
            server.kill()
        else:
            server.kill()
        again = self.start()
        for file in stored:
            self.assertStored(again, file)
        again.stop()
        self.assertSound()


class FullVolume(Faults):
    """A small volume of its own, where that may be made."""

    def setUp(self):
        super().setUp()
        self.data.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(self.data)], capture_output=True)
        if done.returncode:
            self.skipTest("no volume can be mounted here")

    def tearDown(self):
        subprocess.run(["umount", "-l", str(self.data)], check=True)
        super().tearDown()

    def test_a_volume_runs_full_under_load_is_emptied_by_deleting_and_takes_more(self):
        # The floor is what deleting needs: rows go, and the catalog's log takes that first.
        server = Server("--free-space-floor", str(6 << 20), data=self.data)
        self.addCleanup(lambda: server.process and server.stop())
        stored, refused, lock = [], [], threading.Lock()

        def send():
            for _ in range(25):
                file = make_dicom(rows=512, columns=256)
                answer = server.store([file])
                with lock:
                    (stored if answer.status == 200 else refused).append((answer.status, file))
        threads = [threading.Thread(target=send) for _ in range(4)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertGreater(len(refused), 0)
        self.assertEqual({status for status, _ in refused}, {503})
        for _, file in stored:
            self.assertStored(server, file)
        for _, file in stored[:20]:
            self.assertEqual(server.call("DELETE", path_of(file)).status, 204)
        _, file = refused[0]
        self.assertEqual(server.store([file]).status, 200)
        self.assertStored(server, file)
        server.stop()
        self.assertSound()

    def test_on_a_read_only_volume_it_does_not_start_and_says_why(self):
        server = self.start()
        old = make_dicom()
        self.assertEqual(server.store([old]).status, 200)
        server.stop()
        subprocess.run(["mount", "-o", "remount,ro", str(self.data)], check=True)
        done = subprocess.run([BINARY, "serve", "--listen", "127.0.0.1:0", "--data", self.data], capture_output=True,
                              text=True, timeout=60 * SLOWER)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"EROFS|[Rr]ead-only|cannot be written")
        subprocess.run(["mount", "-o", "remount,rw", str(self.data)], check=True)
        self.assertStored(self.start(), old)


class Killed(Faults):
    def test_killed_at_random_under_load_it_has_all_that_it_acknowledged(self):
        rounds = int(os.environ.get("GANTRY_KILLS", "6"))
        seed = int(os.environ.get("GANTRY_KILLS_SEED", str(time.time_ns())))
        lots = random.Random(seed)
        stored, deleted = {}, {}  # path: bytes
        for number in range(rounds):
            server = self.start("--batch-instances", "4")
            sample = dict(lots.sample(sorted(stored.items()), min(len(stored), 40)))
            self.look(server, sample, deleted, f"seed {seed}, round {number}")
            self.one_life(server, lots, stored, deleted)
        server = self.start()
        self.look(server, stored, deleted, f"seed {seed}, at the end")
        server.stop()
        self.assertSound()
        print(f"  {rounds} kills, {len(stored)} stored, {len(deleted)} deleted", flush=True)

    def look(self, server, stored, deleted, context):
        for path, file in stored.items():
            answer = server.get(path, DICOM)
            self.assertEqual(answer.status, 200, f"{context}: {path} {answer!r}")
            self.assertEqual(answer.body, file, context)
        for path in list(deleted)[-20:]:
            self.assertIn(server.get(path, DICOM).status, (404, 410), f"{context}: {path} came back")

    def one_life(self, server, lots, stored, deleted):
        lock, stop = threading.Lock(), threading.Event()

        def work(number):
            link, own = server.connection(), []
            try:
                while not stop.is_set():
                    files = [make_dicom(rows=16 + 64 * (number % 3)) for _ in range(1 + number % 6)]
                    told = verdicts(server.store(files, connection=link))
                    with lock:
                        for file in files:
                            if told.get(uids_of(file)[2], "not told") is None:
                                stored[path_of(file)] = file
                                own.append(path_of(file))
                    if number % 2 and own:
                        path = own.pop(0)
                        with lock:
                            file = stored.pop(path)  # from here on it may be there or not
                        if server.call("DELETE", path, connection=link).status == 204:
                            with lock:
                                deleted[path] = file
            except (OSError, HTTPException, ValueError):
                pass  # killed
        threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
        [t.start() for t in threads]
        time.sleep(lots.uniform(0.05, 0.7) * min(SLOWER, 3))
        server.kill()
        stop.set()
        [t.join() for t in threads]


if __name__ == "__main__":
    unittest.main()
