"""The public JavaScript client dicomweb-client does store, search, metadata, frames and bulk data (tests/web/js)."""
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from gantry import SLOWER, ServerCase, make_dicom, uid

HERE = Path(__file__).resolve().parent / "js"


class JavaScriptClient(ServerCase):
    def test_dicomweb_client(self):
        node, npm = shutil.which("node"), shutil.which("npm")
        self.assertTrue(node and npm, "Node.js and npm are needed")
        modules = HERE / "node_modules"
        if not (modules / "dicomweb-client").exists():
            for last in (False, False, True):
                if subprocess.run([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=HERE, check=last, timeout=300,
                                  capture_output=True).returncode == 0:
                    break
        with tempfile.TemporaryDirectory() as folder:
            study = uid(os.getpid(), 77)
            for n in (1, 2, 3):
                Path(folder, f"{n}.dcm").write_bytes(make_dicom(
                    study=study, series=study + ".1", instance=f"{study}.1.{n}", InstanceNumber=n, frames=3))
            done = subprocess.run([node, "client.mjs", self.server.url, folder, study], cwd=HERE, timeout=120 * SLOWER,
                                  capture_output=True, text=True,
                                  env={**os.environ, "NODE_EXTRA_CA_CERTS": self.server.ca})
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("all well", done.stdout)


if __name__ == "__main__":
    unittest.main()
