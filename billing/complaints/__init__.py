"""The letter about alternative dispute resolution (GC C4): by when, by whom, once. The records are provisioning's."""
