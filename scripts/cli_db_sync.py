#!/usr/bin/env python3
"""The runbook's name for cli-db-sync: python cli_db_sync.py test|info|list|upload|download|backup ..."""

import os
import sys

os.execvp("@BIN@/cli-db-sync", ["cli-db-sync", *sys.argv[1:]])
