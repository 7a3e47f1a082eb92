"""The offline commands: check, reindex, import; and that a data folder belongs to one process at a time."""
import contextlib
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from gantry import BINARY, JSON, SLOWER, Server, make_dicom, path_of, uid, uids_of

SOUND, FOUND, USAGE, FAILED, STOPPED = range(5)


def run(*words, timeout=120):
    done = subprocess.run([BINARY, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout * SLOWER)
    for trouble in ("AddressSanitizer", "ThreadSanitizer", "runtime error:", "Assertion"):
        assert trouble not in done.stderr, done.stderr[-4000:]
    return done.returncode, done.stdout, done.stderr


def many(count, **more):
    """Small files of one series, made from one by writing other numbers into it."""
    mark = uid(os.getpid(), 7000001)
    one = make_dicom(study=uid(os.getpid(), 7), series=uid(os.getpid(), 7, 1), instance=mark, rows=8, columns=8, **more)
    return [one.replace(mark.encode(), uid(os.getpid(), 7000001 + n).encode()) for n in range(count)]


def wait_until_it_listens(process):
    """To SIGTERM, which before that just ends it."""
    deadline = time.monotonic() + 30 * SLOWER
    while process.poll() is None and time.monotonic() < deadline:
        caught = re.search(r"SigCgt:\s+(\w+)", Path(f"/proc/{process.pid}/status").read_text())
        if caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.01)


def size_of(path):
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def objects(data):
    return sorted(Path(data, "objects").glob("*/*.dcm"))


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="gantry-test-"))
        self.data = self.folder / "data"
        self.tree = self.folder / "tree"

    def tearDown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def lay(self, files, folder="a"):
        (self.tree / folder).mkdir(parents=True, exist_ok=True)
        for n, file in enumerate(files):
            (self.tree / folder / f"{n:05}.dcm").write_bytes(file)

    def import_(self, *words):
        return run("import", "--data", self.data, *words, self.tree)

    def check(self, *words):
        return run("check", "--data", self.data, *words)

    def serve(self, *arguments):
        server = Server(*arguments, data=self.data)
        self.addCleanup(server.stop)
        return server


class Import(Folder):
    def test_a_tree_is_stored_in_each_of_three_ways_and_served_as_it_was(self):
        files = [make_dicom() for _ in range(5)]
        for how in ("copy", "link", "in-place"):
            with self.subTest(how):
                self.lay(files[:2], "one")
                self.lay(files[2:], "two/three")
                (self.tree / "readme.txt").write_text("no image")
                status, out, err = self.import_("--import-by", how)
                self.assertEqual(status, SOUND, out + err)
                self.assertRegex(out, r"^5 instances stored, 0 were stored before, 0 refused, 1 other files")
                self.assertEqual([p.is_symlink() for p in objects(self.data)], [how == "in-place"] * 5)
                self.assertEqual({p.stat().st_nlink for p in objects(self.data)}, {2 if how == "link" else 1})
                self.assertEqual(self.check()[0], SOUND)
                server = Server(data=self.data)
                for file in files:
                    answer = server.get(path_of(file), {"Accept": "application/dicom"})
                    self.assertEqual((answer.status, answer.body), (200, file))
                self.assertEqual(server.call("DELETE", path_of(files[0])).status, 204)
                server.stop()
                self.assertEqual(len(objects(self.data)), 4)
                self.assertEqual((self.tree / "one" / "00000.dcm").read_bytes(), files[0], "what lay there stays")
                shutil.rmtree(self.data)
                shutil.rmtree(self.tree)

    def test_what_is_stored_already_is_known(self):
        self.lay([make_dicom() for _ in range(3)])
        self.assertEqual(self.import_()[0], SOUND)
        self.lay([make_dicom()], "b")
        status, out, _ = self.import_()
        self.assertEqual(status, SOUND)
        self.assertRegex(out, r"^1 instances stored, 3 were stored before")
        self.assertEqual(len(objects(self.data)), 4)

    def test_a_file_that_cannot_be_stored_is_told_with_its_path_and_the_others_are_stored(self):
        broken = make_dicom()
        self.lay([make_dicom(), broken[:400], make_dicom()])
        status, out, _ = self.import_()
        self.assertEqual(status, FOUND)
        self.assertRegex(out, r"refused: \S+/a/00001.dcm: .+\n2 instances stored, 0 were stored before, 1 refused")

    def test_with_few_descriptors_a_tree_is_stored_all_the_same(self):
        self.lay(many(600))
        few = subprocess.run([BINARY, "import", "--data", self.data, self.tree], stdin=subprocess.DEVNULL, capture_output=True,
                             text=True, timeout=120 * SLOWER, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48)))
        self.assertEqual(few.returncode, SOUND, few.stdout + few.stderr)
        self.assertRegex(few.stdout, "^600 instances stored")
        self.assertEqual(self.check()[0], SOUND)

    def test_a_tree_goes_into_a_running_server_as_the_readme_says(self):
        readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
        line = readme.split("### Importing beside a running server")[1].split("```sh\n")[1].split("```")[0]
        files = [make_dicom() for _ in range(120)]
        self.lay(files[:60], "one")
        self.lay(files[60:], "of several words")
        server = self.serve()
        for _ in range(2):
            done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=120 * SLOWER,
                                  env=os.environ | {"DIR": str(self.tree), "B": server.url, "CA": server.ca})
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(len(server.get(f"/instances?limit={2 * len(files)}", JSON).json()), len(files))
            self.assertNotIn('"00081197"', done.stdout)
        for file in files[::17]:
            self.assertEqual(server.get(path_of(file), {"Accept": "application/dicom"}).body, file)

    def test_a_stopped_import_goes_on_where_it_was(self):
        self.lay(many(1500))
        for _ in range(5):
            shutil.rmtree(self.data, ignore_errors=True)
            if self.stops_of_an_import_of(1500) > 0:
                break  # else it was through before it could be stopped
        else:
            self.fail("it was never stopped")
        self.assertEqual(self.check()[:2][0], SOUND)
        self.assertFalse((self.data / "import.state").exists())

    def stops_of_an_import_of(self, count):
        stored, stops = 0, 0
        for _ in range(20):
            process = subprocess.Popen([BINARY, "import", "--data", self.data, "--workers", "2", self.tree],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            wanted = stored + 200
            while process.poll() is None and len(objects(self.data)) < wanted:
                time.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60 * SLOWER)
            told = re.search(r"^(\S+) instances stored, (\S+) were stored before", out, re.M).groups()
            now, before = (int(n.replace(",", "")) for n in told)
            stored += now
            if process.returncode == SOUND:
                break
            self.assertEqual(process.returncode, STOPPED, out + err)
            self.assertEqual(before, 0, "looked at twice")
            stops += 1
        self.assertEqual(stored, count)
        return stops

    def test_a_killed_import_loses_nothing_and_is_finished_by_the_next(self):
        self.lay(many(600))
        for _ in range(3):
            process = subprocess.Popen([BINARY, "import", "--data", self.data, self.tree], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wanted = len(objects(self.data)) + 80
            while process.poll() is None and len(objects(self.data)) < wanted:
                time.sleep(0.01)
            process.kill()
            process.wait()
        status, out, err = self.import_()
        self.assertEqual(status, SOUND, out + err)
        status, out, _ = self.check()
        self.assertEqual(status, SOUND, out)
        self.assertRegex(out, "^600 instances")
        self.assertEqual(len(objects(self.data)), 600)


class Check(Folder):
    def test_damage_is_found_in_both_directions_and_named(self):
        files = [make_dicom() for _ in range(6)]
        self.lay(files)
        self.assertEqual(self.import_("--workers", "2")[0], SOUND)
        paths = objects(self.data)
        by_bytes = {p.read_bytes(): p for p in paths}
        missing, cut, flipped, whole = (by_bytes[f] for f in files[:4])
        missing.unlink()
        cut.write_bytes(files[1][:-2])
        flipped.write_bytes(files[2][:-1] + bytes([files[2][-1] ^ 1]))
        unknown = paths[0].parent / "0000000000000fff.dcm"
        unknown.write_bytes(files[3])
        status, out, _ = self.check()
        self.assertEqual(status, FOUND)
        for what, path, file in (("no file", missing, files[0]), ("another size than when it came", cut, files[1]),
                                 ("other bytes than when it came", flipped, files[2])):
            self.assertIn(f"{what}: {path} (" + path_of(file) + ")\n", out)
        self.assertIn(f"a file that is not in the catalog: {unknown}\n", out)
        self.assertNotIn(str(whole), out)
        self.assertRegex(out, r"(?m)^6 instances, .*: 4 problems\.$")

    def test_beside_a_running_server_it_says_so_and_finds_nothing_amiss_while_things_come_and_go(self):
        server = self.serve()
        files = many(200)
        server.store(files[:100])
        checking = subprocess.Popen([BINARY, "check", "--data", self.data, "--check-rate", "60000"], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until_it_listens(checking)
        for n in range(50):
            server.store(files[100 + 2 * n:102 + 2 * n])
            server.call("DELETE", path_of(files[99 - n]))
        checking.send_signal(signal.SIGTERM)
        out, err = checking.communicate(timeout=60 * SLOWER)
        self.assertIn(checking.returncode, (SOUND, STOPPED), out + err)
        self.assertIn("in use by gantry serve, process", err)
        status, out, err = self.check()
        self.assertEqual(status, SOUND, out + err)

    def test_a_file_on_its_way_out_is_no_finding_and_goes_before_the_catalog_is_made_again(self):
        self.lay([make_dicom(), make_dicom()])
        self.assertEqual(self.import_()[0], SOUND)
        kept = objects(self.data)
        leaving = kept[-1].with_name(f"{int(kept[-1].stem, 16) + 1:016x}.dcm")
        for has_table in (True, False):  # a catalog of an earlier build has none
            with self.subTest(has_table):
                shutil.copy(kept[-1], leaving)
                with contextlib.closing(sqlite3.connect(self.data / "catalog.sqlite")) as catalog:
                    catalog.execute("INSERT INTO leaving (id) VALUES (?)" if has_table else "DROP TABLE leaving",
                                    [int(leaving.stem, 16)] if has_table else [])
                    catalog.commit()
                status, out, err = self.check()
                self.assertEqual(status, SOUND if has_table else FOUND, out + err)
                status, out, err = run("reindex", "--data", self.data)
                self.assertEqual((status, objects(self.data)), (SOUND if has_table else FOUND, kept), out + err)
                self.assertEqual(len(list(self.data.glob("aside/*"))), 0 if has_table else 1)
                self.assertEqual(self.check()[0], SOUND)

    def test_a_stopped_check_goes_on_where_it_was(self):
        self.lay(many(300))
        self.assertEqual(self.import_()[0], SOUND)
        process = subprocess.Popen([BINARY, "check", "--data", self.data, "--check-rate", "20000"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until_it_listens(process)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60 * SLOWER)
        self.assertEqual(process.returncode, STOPPED, out + err)
        before = int(re.match(r"Stopped after (\d+) instances", out).group(1))
        self.assertLess(before, 300)
        status, out, err = self.check()
        self.assertEqual(status, SOUND)
        self.assertIn(f"going on after {before} instances", err)
        self.assertRegex(out, "^300 instances")
        self.assertFalse((self.data / "check.state").exists())

    def test_without_a_data_folder_it_fails_with_a_sentence(self):
        status, _, err = self.check()
        self.assertEqual(status, FAILED)
        self.assertRegex(err, r"gantry check: .+")


class Reindex(Folder):
    def told_of(self, server, files):
        answers = [server.get("/studies?includefield=all", JSON), server.get("/instances?includefield=all&limit=1000", JSON)]
        answers += [server.get(f"/studies/{uids_of(f)[0]}/metadata", JSON) for f in files[:3]]
        answers += [server.get(path_of(f) + "/frames/1") for f in files[:3]]
        self.assertEqual({a.status for a in answers}, {200})
        return [re.sub(rb"localhost:\d+", b"", a.body) for a in answers[:-3]] + [a.parts()[0][1] for a in answers[-3:]]

    def test_the_catalog_is_made_again_from_the_files_alone(self):
        files = [make_dicom(PatientID=f"P{n}") for n in range(40)]
        server = Server("--duplicates", "replace", data=self.data)
        self.assertEqual(server.store(files).status, 200)
        newer = make_dicom(*uids_of(files[0]), PatientID="P0", ImageComments="newer")
        self.assertEqual(server.store([newer]).status, 200)
        server.call("DELETE", path_of(files[39]))
        files = [newer] + files[1:39]
        before = self.told_of(server, files)
        server.stop()
        for kind in ("whole", "deleted", "broken"):
            with self.subTest(kind):
                for name in self.data.glob("catalog.sqlite*"):
                    if kind == "deleted":
                        name.unlink()
                    if kind == "broken":
                        name.write_bytes(b"no database" * 1000)
                status, out, err = run("reindex", "--data", self.data)
                self.assertEqual(status, SOUND, out + err)
                self.assertRegex(out, "^39 files")
                self.assertEqual(self.check()[0], SOUND)
                server = Server(data=self.data)
                self.assertEqual(self.told_of(server, files), before)
                server.stop()

    def test_a_file_whose_name_was_lost_has_a_draft_and_is_no_finding_and_is_put_back(self):
        file = make_dicom()
        self.lay([file])
        self.assertEqual(self.import_()[0], SOUND)
        (place,) = objects(self.data)
        place.rename(self.data / "drafts" / place.stem)
        self.assertEqual(self.check()[0], SOUND)
        server = self.serve()
        self.assertEqual(server.get(path_of(file)).parts()[0][1], file)
        self.assertEqual((objects(self.data), list((self.data / "drafts").iterdir())), ([place], []))

    def test_without_a_catalog_a_draft_is_neither_an_instance_nor_lost(self):
        self.lay([make_dicom(), make_dicom()])
        self.assertEqual(self.import_()[0], SOUND)
        in_place, arrived = objects(self.data)
        drafts = self.data / "drafts"
        os.link(in_place, drafts / in_place.stem)
        shutil.copy(arrived, drafts / "00000000000000aa")
        for name in self.data.glob("catalog.sqlite*"):
            name.unlink()
        status, out, err = run("reindex", "--data", self.data)
        self.assertEqual(status, FOUND, out + err)
        aside = self.data / "aside" / "00000000000000aa.dcm"
        self.assertIn(f"set aside: {aside}: ", out)
        self.assertEqual(aside.read_bytes(), arrived.read_bytes())
        self.assertEqual((list(drafts.iterdir()), objects(self.data)), ([], [in_place, arrived]))
        self.assertEqual(self.check()[0], SOUND)

    def test_files_that_get_no_row_are_put_aside(self):
        files = [make_dicom() for _ in range(3)]
        server = Server(data=self.data)
        server.store(files)
        server.stop()
        paths = objects(self.data)
        paths[0].write_bytes(b"no DICOM any more")
        (paths[0].parent / "00000000000000aa.dcm").write_bytes(files[2])  # the same instance twice
        status, out, err = run("reindex", "--data", self.data)
        self.assertEqual(status, FOUND, out + err)
        self.assertIn(f"no row: {paths[0]}: ", out)
        self.assertEqual(sorted(p.name for p in (self.data / "aside").iterdir()), [paths[0].name, "00000000000000aa.dcm"])
        self.assertEqual(self.check()[0], SOUND)

    def test_a_killed_reindex_leaves_the_old_catalog_and_the_next_one_goes_on(self):
        files = many(1500)
        self.lay(files)
        self.assertEqual(self.import_()[0], SOUND)
        for _ in range(2):
            process = subprocess.Popen([BINARY, "reindex", "--data", self.data], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            fresh = self.data / "reindex.sqlite-wal"
            began = time.monotonic()
            while process.poll() is None and time.monotonic() - began < 20 and size_of(fresh) <= 100_000:
                time.sleep(0.005)
            process.kill()
            process.wait()
        self.assertEqual(self.check()[0], SOUND)
        status, out, err = run("reindex", "--data", self.data)
        self.assertEqual(status, SOUND, out + err)
        status, out, _ = self.check()
        self.assertEqual(status, SOUND)
        self.assertRegex(out, "^1,500 instances")


class Lock(Folder):
    def test_a_data_folder_in_use_is_refused_to_others_by_name(self):
        server = self.serve()
        self.lay([make_dicom()])
        for words in (("serve", "--listen", "127.0.0.1:0", "--data", self.data), ("reindex", "--data", self.data),
                      ("import", "--data", self.data, self.tree)):
            status, out, err = run(*words)
            self.assertNotEqual(status, SOUND)
            self.assertRegex(err, rf"in use by gantry serve, process {server.process.pid}\b")
        self.assertEqual(server.store([make_dicom()]).status, 200)

    def test_wrong_words_are_told(self):
        for words in (("check", "x"), ("import", "--data", self.data), ("reindex", "--nonsense", "1"), ("mend",)):
            status, _, err = run(*words)
            self.assertEqual(status, USAGE, err)


class Told(Folder):
    def test_the_curl_line_can_be_taken_as_it_is_whatever_the_folder_is_called(self):
        for name in ("plain", "with a space", "o'neil's", "'", "a$(exit 1)`exit 1`;#&|*~\"\\"):
            with self.subTest(name):
                server = Server(data=self.folder / name)
                self.addCleanup(server.stop)
                line = re.search(r"  find:  (curl .+)\n", server.told).group(1)
                done = subprocess.run(["sh", "-c", line + " -s -S -o /dev/null -w '%{http_code}'"], stdin=subprocess.DEVNULL,
                                      capture_output=True, text=True, timeout=60 * SLOWER)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "204", ""), line)
                server.stop()


if __name__ == "__main__":
    unittest.main()
