"""How does a test get a disk that can be filled, cut off from power, or broken?

An ext4 on a loop device, mounted in a mount namespace of its own: when the test ends, it is gone without a trace.
"""
import pathlib
import subprocess

import pytest

from harness import wait_for

# EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH: from now on everything fails, and what was not flushed is lost.
SHUTDOWN = "import fcntl, os, sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, (2).to_bytes(4, 'little'))"


class Disk:
    def __init__(self, folder, mib):
        self.image, self.root = pathlib.Path(folder) / "disk.img", pathlib.Path(folder) / "disk"
        self.root.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(mib << 20)
        try:
            self.holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sleep", "infinity"])
            made = subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", "-b", "4096", str(self.image)], capture_output=True, text=True)
        except FileNotFoundError as error:
            pytest.skip(f"a disk of its own cannot be made here: {error}")
        self.prefix = ["nsenter", "--target", str(self.holder.pid), "--mount"]
        why = made.stderr or self.try_mount()
        if why:
            self.holder.kill()
            pytest.skip(f"a disk of its own cannot be mounted here: {why}")

    def run(self, *command):
        done = subprocess.run([*self.prefix, *command], capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def try_mount(self):
        done = subprocess.run([*self.prefix, "mount", "-o", "loop", str(self.image), str(self.root)], capture_output=True, text=True)
        # A namespace that was not made after all would be the machine's own.
        inside = subprocess.run(["mountpoint", "-q", str(self.root)]).returncode
        assert inside != 0, "the disk is mounted outside of its namespace"
        return done.stderr if done.returncode else ""

    def mount(self):
        why = self.try_mount()
        assert not why, why

    def unmount(self):
        # The kernel takes the rings of a killed process down behind its back.
        wait_for("the disk is let go", lambda: self.run("umount", str(self.root)) == "", 30, 0.2)

    def cut_power(self):
        self.run("python3", "-c", SHUTDOWN, str(self.root))

    def come_back(self):
        self.unmount()
        self.mount()

    def fill(self):
        """Takes all space that is left, also if others take some meanwhile."""
        for bs in ("1M", "4096"):
            command = ["dd", "if=/dev/zero", f"of={self.root}/filler.{bs}", f"bs={bs}", "status=none"]
            done = subprocess.run([*self.prefix, *command], capture_output=True, text=True)
            assert "No space left" in done.stderr, done.stderr

    def clear(self):
        self.run("rm", "-f", f"{self.root}/filler.1M", f"{self.root}/filler.4096")

    def stall(self):
        """No write ends any more, none fails."""
        self.run("fsfreeze", "--freeze", str(self.root))

    def go_on(self):
        self.run("fsfreeze", "--unfreeze", str(self.root))

    def close(self):
        subprocess.run([*self.prefix, "fsfreeze", "--unfreeze", str(self.root)], capture_output=True)
        self.holder.kill()
        self.holder.wait()


@pytest.fixture
def disk(tmp_path):
    disk = Disk(tmp_path, 520)
    yield disk
    disk.close()
