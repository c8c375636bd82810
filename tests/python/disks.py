"""How does a test get a disk that can be filled, cut off from power, or broken?

An ext4 on a loop device, mounted in a mount namespace of its own: when the test ends, it is gone without a trace.
"""
import pathlib
import subprocess

import pytest

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
        self.run("umount", str(self.root))

    def cut_power(self):
        self.run("python3", "-c", SHUTDOWN, str(self.root))

    def come_back(self):
        self.unmount()
        self.mount()

    def free_mib(self):
        return int(self.run("stat", "-f", "-c", "%a", str(self.root))) * 4096 >> 20

    def fill(self, name="filler", leave_mib=0):
        size = self.free_mib() - leave_mib
        if size > 0:
            self.run("fallocate", "-l", f"{size}MiB", str(self.root / name))
        if leave_mib == 0:
            subprocess.run([*self.prefix, "dd", "if=/dev/zero", f"of={self.root / name}.rest", "bs=4096", "status=none"], capture_output=True)

    def clear(self, name="filler"):
        self.run("rm", "-f", str(self.root / name), str(self.root / (name + ".rest")))

    def close(self):
        self.holder.kill()
        self.holder.wait()


@pytest.fixture
def disk(tmp_path):
    disk = Disk(tmp_path, 420)
    yield disk
    disk.close()
