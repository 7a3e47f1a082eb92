"""The documents that are read off the route table: WADL, its JSON form, OpenAPI. Each says the same resources."""
import json
import re
import subprocess
import unittest
from xml.etree import ElementTree

from gantry import BINARY, REPOSITORY, ServerCase

WADL = "{http://wadl.dev.java.net/2009/02}"


def routes():
    """{pattern: methods} of those under the base path, from the table's own text."""
    found = {}
    for method, pattern in re.findall(r'^ROUTE\((\w+),\s*"([^"]+)"', (REPOSITORY / "handlers/routes.def").read_text(), re.M):
        found.setdefault(re.sub(r"\{[^}]*\}", "{}", pattern), set()).add(method)
    return found


def resources(node, path=""):
    """{pattern: methods} of a resource tree, whatever form it came in."""
    found = {}
    for name, methods, children in node:
        here = "/" if name == "/" else f"{path}/{name}"
        if methods:
            found[re.sub(r"\{[^}]*\}", "{}", here)] = methods
        found.update(resources(children, here))
    return found


def of_xml(element):
    return [(r.get("path"), {m.get("name") for m in r.findall(WADL + "method")}, of_xml(r)) for r in element.findall(WADL + "resource")]


def of_json(element):
    return [(r["@path"], {m["@name"] for m in r.get("method", [])}, of_json(r)) for r in element.get("resource", [])]


class Capabilities(ServerCase):
    def options(self, path, accept):
        answer = self.assertStatus(self.server.call("OPTIONS", path, headers={"Accept": accept}), 200)
        self.assertTrue(answer.headers["Content-Type"].startswith(accept))
        self.assertTrue(answer.headers["ETag"])
        self.assertIn("GET", answer.headers["Allow"])
        return answer

    def test_CAP_01_02_wadl_names_every_resource(self):
        root = ElementTree.fromstring(self.options("/", "application/vnd.sun.wadl+xml").body)
        self.assertEqual(root.tag, WADL + "application")
        (all_of_it,) = root.findall(WADL + "resources")
        self.assertEqual(all_of_it.get("base"), self.server.url)
        self.assertEqual(resources(of_xml(all_of_it)), routes())
        frames = next(r for r in all_of_it.iter(WADL + "resource") if r.get("path") == "frames")
        media = [r.get("mediaType") for r in frames.iter(WADL + "representation")]
        self.assertIn('multipart/related; type="application/octet-stream"', media)
        self.assertIn("charset", [p.get("name") for p in all_of_it.iter(WADL + "param")])

    def test_CAP_04_the_json_form_says_the_same(self):
        document = json.loads(self.options("/", "application/json").body)
        everything = document["application"]["resources"]
        self.assertEqual(everything["@base"], self.server.url)
        self.assertEqual(resources(of_json(everything)), routes())
        method = everything["resource"][0]["method"][0]
        self.assertIsInstance(method["request"], dict)
        self.assertIsInstance(method["response"], list)
        self.assertTrue(method["doc"][0]["value"])

    def test_CAP_03_a_part_of_it(self):
        document = json.loads(self.options("/studies/1.2/metadata", "application/json").body)
        (only,) = document["application"]["resources"]["resource"]
        self.assertEqual(only["@path"], "studies/{study}/metadata")

    def test_CAP_07_a_browser_gets_something_too(self):
        self.assertStatus(self.server.get("/", {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}), 200)

    def test_the_openapi_document_names_every_route(self):
        printed = subprocess.run([BINARY, "--print-openapi"], capture_output=True, check=True)
        document = json.loads(printed.stdout)
        self.assertTrue(document["openapi"].startswith("3."))
        operations = [operation for item in document["paths"].values() for method, operation in item.items() if method != "servers"]
        names = [operation["operationId"] for operation in operations]
        self.assertEqual(len(names), len(set(names)))
        found = {}
        for path, item in document["paths"].items():
            if "servers" not in item:
                found[re.sub(r"\{[^}]*\}", "{}", path)] = {m.upper() for m in item}
            declared = re.findall(r"\{([^}]*)\}", path)
            for method, operation in item.items():
                if method != "servers":
                    self.assertEqual([p["name"] for p in operation["parameters"] if p["in"] == "path"], declared)
        self.assertEqual(found, routes())


if __name__ == "__main__":
    unittest.main()
