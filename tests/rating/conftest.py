"""Property tests here have no deadline: a slow machine is not a wrong sum."""

from hypothesis import settings

settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")
