"""Caregivers: who agreed to let whom see their state and their alarms, and what these then see."""
