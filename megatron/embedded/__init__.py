"""How the house starts and stops on one machine: private environment, embedded services, and one supervisor.

Nothing here knows the rooms, and ``state`` needs nothing but the standard library, so that settings may read it first
of all.
"""
