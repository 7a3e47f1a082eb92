"""A throwaway PKI, good and bad, made with certtool; the names are those of no one."""
import subprocess
import tempfile
from pathlib import Path


class Pki:
    """Certificates by name in one folder: NAME.pem (the chain to send), NAME.key, and for a CA also NAME-ca.pem."""

    def __init__(self, folder=None):
        self.folder = Path(folder or tempfile.mkdtemp(prefix="gantry-pki-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.serial = 1000
        self.serials = {}

    def path(self, name):
        return str(self.folder / name)

    def run(self, *arguments):
        done = subprocess.run(["certtool", *arguments], capture_output=True, timeout=120)
        assert done.returncode == 0, (arguments, done.stderr[-2000:])
        return done.stdout

    def key(self, name, kind="ecdsa", bits=None):
        path = self.folder / f"{name}.key"
        if not path.exists():
            what = ["--ecc", "--curve", {256: "secp256r1", 384: "secp384r1"}[bits or 256]] if kind == "ecdsa" else \
                ["--rsa", "--bits", str(bits or 3072)]
            self.run("--generate-privkey", "--no-text", *what, "--outfile", str(path))
            path.chmod(0o600)
        return str(path)

    def issue(self, name, issuer=None, lines=(), kind="ecdsa", bits=None, start=-1, days=365, digest="SHA256", chain=()):
        """`issuer` None: self-signed. `lines` are of a certtool template; start and days count from today."""
        self.serial += 1
        self.serials[name] = self.serial
        template = self.folder / f"{name}.cfg"
        import datetime
        now = datetime.datetime.now(datetime.timezone.utc)
        at = lambda n: (now + datetime.timedelta(days=n)).strftime("%Y-%m-%d %H:%M:%S+00:00")
        template.write_text("\n".join([f"serial = 0x{hex_of(self.serial)}", f'activation_date = "{at(start)}"',
                                       f'expiration_date = "{at(start + days)}"', *lines]) + "\n")
        arguments = ["--no-text", "--load-privkey", self.key(name, kind, bits), "--template", str(template), "--hash", digest,
                     "--outfile", self.path(f"{name}.pem")]
        if issuer:
            self.run("--generate-certificate", "--load-ca-certificate", self.path(f"{issuer}.pem"),
                     "--load-ca-privkey", self.path(f"{issuer}.key"), *arguments)
        else:
            self.run("--generate-self-signed", *arguments)
        if chain:
            path = self.folder / f"{name}.pem"
            path.write_text(path.read_text() + "".join((self.folder / f"{c}.pem").read_text() for c in chain))
        return self.path(f"{name}.pem"), self.path(f"{name}.key")

    def ca(self, name, issuer=None, organisation=None, **more):
        return self.issue(name, issuer, [f'cn = "{name} CA"', f'organization = "{organisation or name}"', "ca", "cert_signing_key",
                                         "crl_signing_key"], **more)

    def server(self, name, issuer, names=("localhost",), lines=(), **more):
        return self.issue(name, issuer, [f'cn = "{names[0] if names else name}"', *[f'dns_name = "{n}"' for n in names],
                                         "tls_www_server", "signing_key", *lines], **more)

    def client(self, name, issuer, lines=(), purpose="tls_www_client", **more):
        return self.issue(name, issuer, [f'cn = "{name}"', f'organization = "Tests"', *([purpose] if purpose else []), "signing_key",
                                         *lines], **more)

    def crl(self, name, issuer, revoked=(), days=30, start=0):
        import datetime
        now = datetime.datetime.now(datetime.timezone.utc)
        at = lambda n: (now + datetime.timedelta(days=n)).strftime("%Y-%m-%d %H:%M:%S+00:00")
        self.serial += 1
        template = self.folder / f"{name}.crl.cfg"
        template.write_text(f'crl_number = {self.serial % 2 ** 62}\ncrl_this_update_date = "{at(start - 0.01)}"\n'
                            f'crl_next_update_date = "{at(start + days)}"\n')
        arguments = []
        if revoked:
            listed = self.folder / f"{name}.revoked.pem"
            listed.write_text("".join(first_of((self.folder / f"{r}.pem").read_text()) for r in revoked))
            arguments = ["--load-certificate", str(listed)]
        self.run("--generate-crl", "--load-ca-certificate", self.path(f"{issuer}.pem"), "--load-ca-privkey",
                 self.path(f"{issuer}.key"), "--template", str(template), "--outfile", self.path(f"{name}.crl"), *arguments)
        return self.path(f"{name}.crl")


def hex_of(serial):
    digits = f"{serial:X}"
    return digits if len(digits) % 2 == 0 else "0" + digits


def first_of(pem):
    end = "-----END CERTIFICATE-----\n"
    return pem[:pem.index(end) + len(end)]
