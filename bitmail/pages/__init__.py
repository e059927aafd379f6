"""The views: functions from state to components."""
