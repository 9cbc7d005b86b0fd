#!/usr/bin/env python3
"""Kafka by TLS and SASL: a broker of its own that lets nobody in without both. The engine works through it; what is wrong with
certificate, password, mechanism, protocol or rights is said in words within seconds; and no secret is in anything that the
program prints, serves or keeps.

    secure_kafka_test.py --tidecast PROGRAM --feed PROGRAM --script FILE --folder DIR
"""
import argparse
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

CONFIG = """\
namespace: {ns}
instance: i1
transport: {{kind: kafka, partitions: 2}}
state: {{directory: {state}, memory_limit: 512MiB}}
kafka:
  bootstrap.servers: "{address}"
  reconnect.backoff.max.ms: 500
  debug: "security,broker,conf"
{properties}
commit: {{interval: 100ms}}
privacy: {{pseudonym_key: "{key}"}}
inputs:
  orders: {{kind: orders, time: {{field: /ts}}, columns: {{sku: sku, order_id: id, quantity: quantity, ts: ts}}}}
views:
  sku:
    bucket: {{every: 1d}}
    features: {{units: {{input: orders, sum: quantity}}}}
    target: units
    horizon: 7
model: none
server: {{address: 127.0.0.1, port: 0}}
"""
PSEUDONYM_KEY = "pseudonym-key-that-nobody-may-see"
WRONG_PASSWORD = "wrong-password-that-nobody-may-see"
SECONDS_MAX = 40  # seconds on a machine with nothing else to do; here only "not for ever", so that a busy one passes

flags = None
folder = None
printed = []  # all that any process of ours said


def secret(name):
    with open(os.path.join(flags.folder, name)) as file:
        return file.read().strip()


def path(name):
    return os.path.join(flags.folder, name)


def write_config(ns, name=None, address=None, protocol="SASL_SSL", mechanism="PLAIN", user="tidecast", password=None, ca="ca.pem"):
    rows = {"security.protocol": protocol}
    if protocol.startswith("SASL"):
        rows |= {"sasl.mechanism": mechanism, "sasl.username": user,
                 "sasl.password": password or "${file:" + path(user + ".password") + "}"}
    if protocol.endswith("SSL"):
        rows["ssl.ca.location"] = path(ca)
    config = os.path.join(folder, f"{name or ns}.yaml")
    with open(config, "w") as file:
        file.write(CONFIG.format(ns=ns, state=os.path.join(folder, "state-" + ns), address=address or flags.address, key=PSEUDONYM_KEY,
                                 properties="".join(f"  {key}: \"{value}\"\n" for key, value in rows.items())))
    return config


def call(*words, timeout=60, env=None):
    done = subprocess.run([flags.tidecast, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout,
                          env={**os.environ, **(env or {})})
    printed.append(done.stdout + done.stderr)
    return done


def feed(config, lines):
    orders = os.path.join(folder, "orders.csv")
    with open(orders, "w") as file:
        file.write("id,sku,quantity,ts\n")
        for i in range(lines):
            file.write(f"o{i},sku{i % 7},{i % 5 + 1},2024-01-{i * 20 // lines + 1:02d}T10:00:00Z\n")
    internal = "127.0.0.1:" + secret("internal_port")
    done = subprocess.run([flags.feed, internal, config, orders], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def librdkafka_version():
    return ctypes.CDLL("librdkafka.so.1").rd_kafka_version() >> 8


class SecureKafka(unittest.TestCase):
    def test_1_works_with_the_right_settings(self):
        config = write_config("shop")
        feed(config, 400)
        checked = call("check", config)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        self.assertIn("shop.orders (2 partitions)", checked.stdout)
        done = call("run", config, "--no-server", "--until-end")
        self.assertEqual(done.returncode, 0, done.stderr)
        summary = json.loads(done.stdout)
        self.assertEqual((summary["events_read"], summary["events_accepted"], summary["dead_lettered"]), (400, 400, 0))
        rows = call("tap", "features", "--config", config)
        self.assertEqual(rows.returncode, 0, rows.stderr)
        units = sum(json.loads(line)["units"] for line in rows.stdout.splitlines())
        self.assertEqual(units, sum(i % 5 + 1 for i in range(400)))

    def refused(self, code, said, tried, verb="run", **wrong):
        """The verb ends with `code` within seconds; what is wrong, where and what to try stand in the words."""
        config = write_config("shop", "refused", **wrong)
        begun = time.monotonic()
        done = call(verb, config, *([] if verb == "check" else ["--no-server"]), timeout=SECONDS_MAX + 5)
        words = done.stdout + done.stderr
        self.assertEqual(done.returncode, code, words)
        self.assertLess(time.monotonic() - begun, SECONDS_MAX)
        for part in (said, wrong.get("address", flags.address), tried, "try: "):
            self.assertIn(part, words)
        return words

    def test_2_wrong_password(self):
        for verb in ("run", "check"):
            self.refused(77, 'refuse user "tidecast"', "kafka.sasl.password", verb, password=WRONG_PASSWORD)

    def test_3_certificate_of_another_authority(self):
        for verb in ("run", "check"):
            self.refused(69, "certificate is not trusted", "kafka.ssl.ca.location", verb, ca="other-ca.pem")

    def test_4_certificate_of_another_host(self):
        port = flags.address.split(":")[1]
        self.refused(69, "certificate is not trusted", "by a name that stands in the certificate", address="localhost:" + port)

    def test_5_other_protocol(self):
        for protocol in ("PLAINTEXT", "SASL_PLAINTEXT", "SSL"):
            words = self.refused(69, "speak another protocol", "kafka.security.protocol", protocol=protocol)
            self.assertIn(f"it is {protocol} now", words)
        self.refused(69, "speak another protocol", "kafka.security.protocol", address="127.0.0.1:" + secret("internal_port"))

    def test_6_other_mechanism(self):
        self.refused(77, "do not take this kafka.sasl.mechanism", "the message lists them", mechanism="SCRAM-SHA-256")
        # Debian 12's librdkafka breaks SCRAM's rules, and brokers since Kafka 4 insist on them.
        if librdkafka_version() < 0x020601:
            self.refused(77, 'refuse user "tidecast"', "take 2.6.1 or newer, or PLAIN over TLS", mechanism="SCRAM-SHA-512")
        else:
            self.assertEqual(call("check", write_config("shop", "scram", mechanism="SCRAM-SHA-512")).returncode, 0)

    def test_7_missing_file_of_an_authority(self):
        done = call("run", write_config("shop", "refused", ca="nowhere.pem"), "--no-server")
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertIn(path("nowhere.pem"), done.stderr)
        self.assertIn("kafka.ssl.ca.location", done.stderr)

    def test_8_rights_are_asked_for_by_name(self):
        """A user who is let in and may do nothing, then gets one right after the other."""
        config = write_config("shop", "guest", user="guest")

        def run():
            done = call("run", config, "--no-server", "--until-end", timeout=60)
            if done.returncode != 0:
                self.assertEqual(done.returncode, 77, done.stderr)
                self.assertIn("by an ACL of the brokers", done.stderr)
            return done.stderr

        def allow(kind, prefix):
            subprocess.run([flags.script, "allow", "--dir", flags.folder, "guest", kind, prefix], check=True, timeout=60,
                           stdout=subprocess.DEVNULL)

        self.assertIn("Transactional Id authorization failed", run())
        allow("transactional-id", "shop.")
        self.assertIn("topic shop.", run())
        allow("topic", "shop.")
        self.assertIn("the group tidecast.shop cannot be joined", run())
        allow("group", "tidecast.shop")
        self.assertNotIn("error", run())

    def test_9_no_secret_is_told_anywhere(self):
        config = write_config("shop")
        shown = call("config", "show", config)
        self.assertIn("kafka.sasl.password = ********", shown.stdout)
        self.assertIn("privacy.pseudonym_key = ********", shown.stdout)
        with open(config) as file:
            text = file.read()
        broken = os.path.join(folder, "broken.yaml")
        for old, new in (("sasl.password: ", "sasl.pasword: "), ("sasl.password: ", "sasl.password: x: "), ("namespace:", "namespase:")):
            with open(broken, "w") as file:
                file.write(text.replace("${file:" + path("tidecast.password") + "}", secret("tidecast.password")).replace(old, new))
            self.assertEqual(call("check", broken).returncode, 78)
        call("check", config, env={"TIDECAST__KAFKA__SASL_PASSWORD": WRONG_PASSWORD, "TIDECAST__THREADS": "none"})

        process = subprocess.Popen([flags.tidecast, "run", config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            said = ""
            while "page at " not in said:
                line = process.stderr.readline()
                self.assertTrue(line, said)
                said += line
            url = json.loads(said.splitlines()[-1])["message"].split("page at ")[1].rstrip("/")
            for page in ("/metrics", "/readyz?verbose", "/livez", "/v1/status", "/v1/forecasts/sku1", "/api/openapi.json", "/"):
                try:
                    with urllib.request.urlopen(url + page, timeout=10) as answer:
                        printed.append(answer.read().decode())
                except urllib.error.HTTPError as error:
                    printed.append(error.read().decode())
            self.assertTrue(any("tidecast_partitions_assigned" in text for text in printed))
            # What any user of the machine may read of the process.
            with open(f"/proc/{process.pid}/cmdline") as file:
                printed.append(file.read())
        finally:
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=30)
        printed.extend((said, out, err))
        self.assertEqual(process.returncode, 0, err)

        secrets = [secret("tidecast.password"), secret("guest.password"), PSEUDONYM_KEY, WRONG_PASSWORD]
        state = os.path.join(folder, "state-shop")
        kept = []
        for root, _, names in os.walk(state):
            for name in names:
                with open(os.path.join(root, name), "rb") as file:
                    kept.append((name, file.read()))
        self.assertGreater(len(kept), 3)
        for value in secrets:
            self.assertFalse([text[max(0, text.index(value) - 200):text.index(value)] for text in printed if value in text])
            self.assertFalse([name for name, content in kept if value.encode() in content])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("tidecast", "feed", "script", "folder"):
        parser.add_argument("--" + name, required=True)
    flags, rest = parser.parse_known_args()
    started = subprocess.run([flags.script, "start", "--dir", flags.folder, "--port", "0", "--fresh", "--secure"], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    if started.returncode == 69 and os.environ.get("CI") != "true":
        print("SKIPPED: no Kafka broker could be started:", started.stderr)
        sys.exit(77)
    assert started.returncode == 0, started.stderr
    flags.address = started.stdout.strip().splitlines()[-1]
    try:
        with tempfile.TemporaryDirectory(prefix="tidecast-secure-") as folder:
            result = unittest.main(argv=[sys.argv[0], *rest], verbosity=2, exit=False).result
    finally:
        subprocess.run([flags.script, "stop", "--dir", flags.folder], timeout=60)
    sys.exit(0 if result.wasSuccessful() else 1)
