"""Tests of started programs: installations, crashes, faults, restarts, the browser. Also packaging and cost growth."""
