"""Do known limits hold?"""
