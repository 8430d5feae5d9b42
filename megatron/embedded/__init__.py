"""How the house starts and stops on one machine: private environment, embedded services, and one supervisor.

Nothing here knows Django or the rooms; everything is standard library, so that settings may read ``state`` first of all.
"""
