# The first process of a host's namespaces: builds its mounts and becomes systemd.
# Arguments: the lower layer, the folder of the host's own layer, its name.
set -e
lower=$1 layer=$2 name=$3
root=$layer/root

mount --make-rprivate /
mount -t overlay -o "lowerdir=$lower,upperdir=$layer/upper,workdir=$layer/work" overlay "$root"
cd "$root"

# As systemd-nspawn does: the kernel's knobs are this machine's, so they can be
# read and not written, but for those of the host's own network.
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -t proc proc "$layer/proc"
mount --bind "$layer/proc/sys/net" proc/sys/net
mount -o remount,bind,ro proc/sys
[ ! -e proc/sysrq-trigger ] || mount --bind /dev/null proc/sysrq-trigger
umount "$layer/proc"
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup

mount -t tmpfs -o mode=755 tmpfs dev
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
for node in null zero full random urandom tty; do
	: >"dev/$node"
	mount --bind "/dev/$node" "dev/$node"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
: >dev/console

hostname "$name"
ip link set lo up
pivot_root . mnt
umount -l /mnt
exec env -i container=csmail-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console --show-status=no
