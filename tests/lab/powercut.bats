#!/usr/bin/env bats
# The power goes at random points of a failover and of a failback: never a mixed or absent database, never two
# publishers, no accepted write lost, and the next run repairs. LAB_CUTS says how many points of each (default 5, which
# are others in each run).

load lab

setup_file() { lab_base; }
teardown_file() { lab_base_end; }
setup() {
	lab_new
	# its round waits half a minute for a dead primary, and a boot waits for it; the page has tests of its own
	[ -n "${LAB_WHY-}" ] || pi2 sh -c "systemctl disable -q --now ctv-status.timer ctv-status.path; systemctl stop ctv-status"
}
teardown() { lab_end; }

# a point of time in the run, in hundredths; from a seed that is printed, so that it can be had again
points() {
	echo "LAB_SEED=${LAB_SEED:=$RANDOM}"
	RANDOM=$LAB_SEED
}

# cut_during COMMAND...: the operator's command, and the power cut somewhere in it; waits for the boot
cut_during() {
	"$@" >"$BATS_TEST_TMPDIR/cut.out" 2>&1 3>&- &
	local pid=$! after=$((RANDOM % ${span:-600}))
	sleep $((after / 100)).$((after / 10 % 10))$((after % 10))
	echo "power cut after ${after}0 ms, role $(role), $(unit)"
	lab poweroff pi2
	wait $pid || true
	lab boot pi2
	pi2 test -s $LIVE
	sound pi2
	case $(role) in standby | active) ;; *) false ;; esac
}

@test "the power goes at random points of a failover" {
	lab poweroff pi-ctv
	points
	for n in $(seq "${LAB_CUTS:-5}"); do
		cut_during failover
		run failover
		expect 0 'FAILOVER COMPLETE'
		[ "$(role)" = active ]
		eventually eval '[ "$(owner)" = pi2 ]'
		enter $STANDBY "write-$n"
		# back to a standby, without pi-ctv: what the next round begins with
		pi2 sh -c "svc-ctl stop flaskapp && echo standby >$STATE/role && mirror-head claim --owner pi-ctv"
		kept=$(notes pi2)
		for write in $(seq "$n"); do grep -qx "write-$write" <<<"$kept"; done
	done
}

@test "the power goes at random points of a failback, and what was entered is in the copy that is kept" {
	points
	for n in $(seq "${LAB_CUTS:-5}"); do
		failover --force
		enter $STANDBY "write-$n"
		cut_during failback --yes
		# the next run repairs: it gives back what still serves, or finds that there is nothing left
		run failback --yes
		expect 0 'FAILBACK COMPLETE|nothing to give back'
		[ "$(role)" = standby ]
		[ "$(unit)" != active ]
		eventually eval '[ "$(owner)" = pi-ctv ]'
		eventually eval 'pi2 sh -c "[ -z \"\$(ls $STATE/wanted)\" ]"'
		# it is in the live copy, in a copy beside it, and in the backup that was asked for
		notes pi2 | grep -qx "write-$n"
		newest=$(pi2 sh -c "cd ${LIVE%/*} && ls failover_backup_*.db | tail -n 1")
		notes pi2 "${LIVE%/*}/$newest" | grep -qx "write-$n"
		pi2 dbx-fetch -o /tmp/saved.db "/backups/$newest"
		notes pi2 /tmp/saved.db | grep -qx "write-$n"
		lab run pi-ctv systemctl start ctv-db-sync.service
	done
}
