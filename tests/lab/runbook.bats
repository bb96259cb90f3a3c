#!/usr/bin/env bats
# Every command of the runbook runs on the hosts and says something sensible. Not here: ssh (there is no sshd), uv.

load lab

setup_file() { lab_base; }
teardown_file() { lab_base_end; }
setup() { lab_new; }
teardown() { lab_end; }

# each HOST < TABLE: lines STATUS|REGEX|COMMAND, as root in the application's directory
each() {
	while IFS='|' read -r code text words <&5; do
		run lab run "$1" bash -c "cd $APP && $words"
		echo "$words: $status"
		expect "$code" "$text"
	done 5<&0
}

@test "Daily Operations, Database Synchronization, Service Management" {
	each pi-ctv <<-'END'
		0|active \(waiting\)|systemctl status ctv-db-sync.timer
	END
	each pi2 <<-'END'
		0|ctv-pi2-download.timer|systemctl list-timers --no-pager | grep ctv-pi2-download
		0|active \(waiting\)|sudo systemctl status ctv-pi2-download.timer
		0|the newest copy is installed|tail -20 /var/log/ctv-pi2-download/download.log
		0|production.db|ls -lh /opt/apps/ctv-bookedbiz-db/data/database/production.db*
		0|20[0-9][0-9]|date -r /opt/apps/ctv-bookedbiz-db/data/database/production.db
		3|inactive \(dead\)|source .venv/bin/activate && sudo systemctl status flaskapp
		0|database.db|source .venv/bin/activate && python cli_db_sync.py list
		0|head record|source .venv/bin/activate && python cli_db_sync.py info
		0|already the newest|source .venv/bin/activate && python cli_db_sync.py download
		0|saved: /backups/custom_backup_name.db|source .venv/bin/activate && python cli_db_sync.py backup custom_backup_name.db
		3|ctv-pi2-download.service|sudo systemctl status --no-pager ctv-pi2-download.service
		0||sudo systemctl start ctv-pi2-download.service
		0|already the newest copy|tail -50 /var/log/ctv-pi2-download/download.log
		0||sudo systemctl stop flaskapp
		0||sudo journalctl --no-pager -u flaskapp -n 50
		0||sudo systemctl restart ctv-pi2-download.timer
		0|Modify|stat /opt/apps/ctv-bookedbiz-db/data/database/production.db
		0|success|curl -sf http://100.81.73.46:8000/api/system-stats
		0|ctv-pi2-download|sudo journalctl --no-pager -u ctv-pi2-download.service --since "1 week ago"
	END
	run operator sh -c "cd $APP && git pull -q origin main && git status --porcelain"
	expect 0
	[ -z "$output" ]
	if [ -x "$ROOT/build/dbx-auth" ]; then
		run operator sh -c "cd $APP && . .venv/bin/activate && python cli_db_sync.py test"
		expect 0 database.db
	fi
}

@test "Emergency Procedures, Quick Reference, the monthly test" {
	run operator sh -c "cd $APP && ./scripts/failover-to-pi2.sh --dry-run"
	expect 0 ready
	lab poweroff pi-ctv
	run operator sh -c "cd $APP && ./scripts/failover-to-pi2.sh"
	expect 0 'http://100.96.96.109:5001'
	each pi2 <<-'END'
		0|success|curl -s http://localhost:8000/api/system-stats
		0|success|curl -s http://100.96.96.109:8000/api/system-stats
		0|active \(running\)|sudo systemctl status --no-pager flaskapp ctv-pi2-download.timer
		0|Listening at|sudo journalctl --no-pager -u flaskapp
	END
	lab boot pi-ctv
	serving $PRIMARY
	run operator sh -c "cd $APP && ./scripts/failback-to-pi2.sh"
	expect 0 'FAILBACK COMPLETE'
	standing_by
}

@test "Complete Pi2 System Recovery: from nothing to ready, as ctv-mirror(7) says" {
	pi2 cp /etc/ctv-db-sync.env /root/backup.env
	# nobody writes there any more
	pi2 systemctl stop ctv-status.timer
	round pi2
	# but the nights are still the test's to begin: the installation's own timer makes up for one that was missed, and has no token yet
	pi2 sh -c "systemctl stop ctv-pi2-download.timer ctv-settle.path ctv-status.path; rm -rf $APP $STATE /usr/local/bin/* /usr/local/lib/ctv-mirror
		find /etc/systemd/system -maxdepth 1 -name 'ctv-*' ! -name 'ctv-*.timer.d' -exec rm -rf {} +"
	run pi2 sh -c "install -d -o daseme -g ctvapps -m 2775 $APP"
	run operator git clone -q git@github.com:daseme/ctv-bookedbiz-db.git $APP
	expect 0
	operator sh -c "cd $APP && python3 -m venv --system-site-packages --without-pip .venv && ln -s /usr/bin/gunicorn .venv/bin/"
	run pi2 make -s -C /usr/src/ctv-mirror install ROLE=standby
	expect 0 'Installed as standby'
	pi2 sh -c 'cat /root/backup.env >/etc/ctv-db-sync.env'
	pi2 systemctl start ctv-pi2-download.service
	run failover -n
	expect 0 'ready: a failover would work now'
}
