# What the guest does for each drive of the bench: sourced with IQN, HOST, PORT, LUN and SETTINGS
# (each as name=value) set, and PATTERN, what all bytes of the disk are.  Ends with 0 if all was
# done, 3 if data were wrong, anything else if an error was reported; the last line says which.

wrong=3
portal=$HOST:$PORT
portal_name=$HOST,$PORT
record="iscsiadm -m node -T $IQN -p $portal"
here=/tmp/drive.$PORT
mkdir -p $here

fail() { echo "$*"; exit 1; }
differs() { echo "$*"; exit $wrong; }

# The record of the node as iscsiadm would write it, which takes two processes less.
record_it() {
    [ -n "$known" ] && return
    folder=/etc/iscsi/nodes/$IQN/$portal_name,1
    mkdir -p "$folder"
    {
        echo "# BEGIN RECORD 2.1.8"
        for line in "node.name=$IQN" node.tpgt=1 iface.iscsi_ifacename=default \
            iface.transport_name=tcp "node.conn[0].address=$HOST" "node.conn[0].port=$PORT" \
            node.discovery_type=static $SETTINGS; do
            echo "${line%%=*} = ${line#*=}"
        done
        echo "# END RECORD"
    } > "$folder/default"
    known=yes
}

# 6: while all records were read, that of another drive was removed; then it may have logged in, and
# be told that it has (15).
log_in() {
    record_it
    for try in 1 2 3; do
        $record --login 2>&1 && return
        status=$?
        [ $status = 15 ] && [ $try != 1 ] && return
        [ $status = 6 ] || break
    done
    fail "iscsiadm ended with $status: the login has failed"
}

log_out() {
    $record --logout 2>&1 || fail "iscsiadm ended with $?: the logout has failed"
}

# The hosts (one each session) that are logged in at our port.
hosts() {
    for session in /sys/class/iscsi_session/session*; do
        for connection in "$session"/device/connection*/iscsi_connection/*; do
            [ -r "$connection/persistent_port" ] || continue
            read -r number < "$connection/persistent_port"
            [ "$number" = "$PORT" ] || continue
            path=$(readlink -f "$session/device/..")
            echo "${path##*/host}"
        done
    done
}

# Looks for units, and waits until that is over.
scan() {
    for host in $(hosts); do
        echo "- - -" > "/sys/class/scsi_host/host$host/scan"
    done
}

# The unit as the driver "sg" has it: its commands are sent as they are, once.
find_unit() {
    scan
    for host in $(hosts); do
        for found in /sys/class/scsi_device/"$host":*:"$LUN"/device/scsi_generic/sg*; do
            [ -e "$found" ] && unit=/dev/${found##*/} && device=${found%/scsi_generic/*} && return
        done
    done
    fail "no unit was found"
}

# The unit as a disk of Linux.
find_disk() {
    find_unit
    name=$(readlink -f "$device")
    echo "${name##*/}" > /sys/bus/scsi/drivers/sd/bind || fail "it is no disk"
    for found in "$device"/block/sd*; do
        [ -e "$found" ] || fail "there is no disk"
        disk=/dev/${found##*/}
    done
    echo 3 > "$device/timeout"
}

# pattern BYTES OCTAL FILE: a file with nothing but one byte.
pattern() { head -c "$1" /dev/zero | tr '\0' "\\$2" > "$3"; }

# read_unit FIRST BLOCKS [FILE]: with one command.
read_unit() {
    sg_dd if="$unit" of="${3:-$here/read}" bs=512 skip="$1" count="$2" bpt="$2" time=0,3 2>$here/said ||
        { cat $here/said; fail "a read has failed"; }
}

write_unit() {
    sg_dd if=$here/write of="$unit" bs=512 seek="$1" count="$2" bpt="$2" time=0,3 2>$here/said ||
        { cat $here/said; fail "a write has failed"; }
}

# same FILE BYTES [FILE]: what was read is that.
same() { cmp -n "$2" "$1" "${3:-$here/read}" || differs "data that were read are wrong"; }

check_blocks() {
    [ -e $here/right ] || pattern 1048576 "$PATTERN" $here/right
    read_unit "$1" "$2"
    same $here/right $((512 * $2))
}

write_blocks() {
    [ -e $here/write ] || pattern 1048576 021 $here/write
    write_unit "$1" "$2"
    read_unit "$1" "$2"
    same $here/write $((512 * $2))
}

# For the seconds $1, do the rest of the arguments.
for_seconds() {
    read -r now _ < /proc/uptime
    end=$((${now%.*} + $1))
    shift
    while [ "${now%.*}" -lt $end ]; do
        "$@"
        usleep 200000
        read -r now _ < /proc/uptime
    done
}

login() { log_in; scan; log_out; }

relogin() { login; login; }

logins() {
    record_it
    for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        timeout 8 $record --login
        case $? in
            0) scan ;;
            15) sleep 1 ;;  # the one before is not over yet
        esac
        timeout 8 $record --logout
    done
    echo "it has tried twenty times"
}

two_sessions() {
    SETTINGS="$SETTINGS node.session.nr_sessions=2"
    log_in
    scan
    set -- $(hosts)
    log_out
    [ $# = 2 ] || fail "there were $# sessions"
}

discovery() {
    iscsiadm -m discoverydb -t sendtargets -p "$portal" -o new >/dev/null
    timeout 20 iscsiadm -m discoverydb -t sendtargets -p "$portal" -o nonpersistent --discover 2>&1
    status=$?
    iscsiadm -m discoverydb -t sendtargets -p "$portal" -o delete 2>/dev/null
    # 21: all went well, and there is nothing.
    [ $status = 0 ] || [ $status = 21 ] ||
        fail "iscsiadm ended with $status: the discovery has failed"
}

discovery_login() {
    iscsiadm -m discovery -t sendtargets -p "$portal" 2>&1 || fail "the discovery has failed"
    known=yes
    login
}

scan_units() { log_in; find_unit; sg_luns "$unit" || fail "no units are listed"; log_out; }

read_much() { log_in; find_unit; check_blocks 0 512; log_out; }

write_little() { log_in; find_unit; write_blocks 0 1; log_out; }

write_much() { log_in; find_unit; write_blocks 0 512; log_out; }

# Eight commands at a time, of a process each.
parallel_read() {
    log_in
    find_unit
    pattern 16384 "$PATTERN" $here/right
    for n in 0 1 2 3 4 5 6 7; do
        { read_unit $((32 * n)) 32 $here/read.$n; same $here/right 16384 $here/read.$n; } &
        processes="$processes $!"
    done
    for process in $processes; do
        wait "$process" || exit $?
    done
    log_out
}

parallel_write() {
    log_in
    find_unit
    pattern 262144 021 $here/write
    for n in 0 64 128 192 256 320 384 448; do
        write_unit $n 64 &
        processes="$processes $!"
    done
    for process in $processes; do
        wait "$process" || exit $?
    done
    read_unit 0 512
    same $here/write 262144
    log_out
}

mixed_round() { write_blocks 0 128; check_blocks 1024 128; }

mixed() { log_in; find_unit; for_seconds 5 mixed_round; log_out; }

idle() { log_in; find_unit; check_blocks 0 1; sleep 8; check_blocks 0 1; log_out; }

ping() {
    SETTINGS="$SETTINGS node.conn[0].timeo.noop_out_interval=1"
    SETTINGS="$SETTINGS node.conn[0].timeo.noop_out_timeout=2"
    log_in
    find_unit
    check_blocks 0 1
    sleep 11
    check_blocks 0 1
    log_out
}

# A command gets two seconds; then the kernel has it aborted.
abort() {
    log_in
    find_unit
    sg_raw --timeout=2 --request=4096 --outfile=$here/read "$unit" 28 0 0 0 0 0 0 0 8 0 2>&1
    status=$?
    check_blocks 0 1
    log_out
    [ $status = 0 ] || fail "sg_raw ended with $status"
}

# A write that is not answered, and a reset of its unit.
reset() {
    log_in
    find_unit
    pattern 262144 021 $here/write
    write_unit 0 512 &
    sleep 1
    sg_reset --device "$unit" 2>&1 || fail "the reset has failed"
    wait $!
    check_blocks 1024 1
    log_out
}

target_reset() {
    log_in
    find_unit
    write_unit 0 512 &
    sleep 1
    sg_reset --target "$unit" 2>&1
    wait $!
    check_blocks 1024 1
    log_out
}

disk_round() {
    dd if=$here/write of="$disk" bs=16k count=1 oflag=direct 2>$here/said ||
        { cat $here/said; fail "a write has failed"; }
    dd if="$disk" of=$here/read bs=16k count=1 iflag=direct 2>$here/said ||
        { cat $here/said; fail "a read has failed"; }
    same $here/write 16384
}

recover() {
    SETTINGS="$SETTINGS node.conn[0].timeo.noop_out_interval=2"
    SETTINGS="$SETTINGS node.conn[0].timeo.noop_out_timeout=2"
    log_in
    pattern 16384 021 $here/write
    find_disk
    for_seconds 12 disk_round
    log_out
}

# INQUIRY for more than there is.
short_read() {
    log_in
    find_unit
    sg_raw --request=1024 "$unit" 12 0 0 4 0 0 2>&1 || fail "INQUIRY has failed"
    log_out
}

# READ (32) of block 1.
long_cdb() {
    log_in
    find_unit
    pattern 512 "$PATTERN" $here/right
    sg_raw --request=512 --outfile=$here/read "$unit" 7f 0 0 0 0 0 0 18 0 9 0 0 0 0 0 0 0 0 0 1 \
        0 0 0 0 0 0 0 0 0 0 0 1 2>&1 || fail "READ (32) has failed"
    same $here/right 512
    log_out
}

# What is left of a drive, however it has ended.
clear_up() {
    for host in $(hosts); do
        timeout 20 $record --logout
        break
    done
    rm -rf $here "/etc/iscsi/nodes/$IQN/$portal_name,1"
}
